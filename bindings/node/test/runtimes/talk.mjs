// A server and clients of every kind in one process. Prints what comes of it, as JSON.

import { WebSocket, WebSocketServer, WebSocketStream } from "../../dist/index.mjs";

const told = {};
const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
server.on("connection", (socket) => {
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
});
await new Promise((resolve) => server.on("listening", resolve));
const url = `ws://127.0.0.1:${server.address().port}/`;

const socket = new WebSocket(url);
socket.binaryType = "arraybuffer";
await new Promise((resolve, reject) => {
  socket.onopen = resolve;
  socket.onerror = reject;
});
told.messages = [];
const all = new Promise((resolve) => {
  socket.onmessage = ({ data }) => {
    told.messages.push(typeof data === "string" ? data : data.byteLength);
    if (told.messages.length === 4) resolve();
  };
});
socket.send("text");
socket.send(new Uint8Array(300_000));
socket.send(new Blob(["blob"]));
socket.send("\ud800");
await all;
const closed = new Promise((resolve) => (socket.onclose = resolve));
socket.close(3000, "bye");
const { code, reason, wasClean } = await closed;
told.close = [code, reason, wasClean];

const stream = new WebSocketStream(url);
const { readable, writable } = await stream.opened;
await writable.getWriter().write("stream");
told.stream = (await readable.getReader().read()).value;
stream.close({ closeCode: 4000 });
told.closed = (await stream.closed).closeCode;

try {
  new WebSocket("ftp://h");
} catch (error) {
  told.thrown = [error instanceof DOMException, error.name];
}

server.close(() => console.log(JSON.stringify(told)));
