// What a program in TypeScript writes, checked under --strict.

import {
  CloseEvent,
  CookieJar,
  MessageEvent,
  WebSocket,
  WebSocketError,
  WebSocketStream,
  configure,
} from "longwire";

configure({ baseURL: new URL("https://example.com"), origin: "https://example.com", cookieJar: new CookieJar() });

const socket: WebSocket = new WebSocket("wss://example.com", ["a", "b"], { headers: { a: "b" }, proxy: false });
socket.binaryType = "arraybuffer";
socket.onopen = () => {
  socket.send("text");
  socket.send(new Uint8Array(1));
  socket.send(new ArrayBuffer(1));
  socket.send(new Blob(["x"]));
};
socket.onmessage = (event: MessageEvent) => {
  const data: unknown = event.data;
  const origin: string = event.origin;
  console.log(data, origin);
};
socket.onclose = (event: CloseEvent) => {
  const { code, reason, wasClean }: { code: number; reason: string; wasClean: boolean } = event;
  console.log(code, reason, wasClean);
};
socket.addEventListener("error", (event) => console.log(event.type));
const state: number = socket.readyState === WebSocket.OPEN ? socket.OPEN : WebSocket.CLOSED;
socket.close(1000, String(state));
socket.unref().ref();

// @ts-expect-error: no number
socket.binaryType = 1;
// @ts-expect-error: no such option
new WebSocket("ws://h", [], { unknown: true });

const stream = new WebSocketStream("wss://example.com", { protocols: ["a"], signal: AbortSignal.timeout(1000) });
const { readable, writable, protocol, extensions } = await stream.opened;
const first: string | Uint8Array | undefined = (await readable.getReader().read()).value;
await writable.getWriter().write(first ?? protocol + extensions);
stream.close({ closeCode: 1000, reason: "done" });
const { closeCode } = await stream.closed;
const failure: DOMException = new WebSocketError("why", { closeCode: closeCode ?? 1000 });
console.log(failure.name);
