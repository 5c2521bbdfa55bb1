// Servers for tests: one of the npm package `ws`, and one that writes bytes.

import { once } from "node:events";
import { createHash } from "node:crypto";
import { createServer } from "node:net";
import { WebSocketServer } from "ws";

/** A server of `ws` that echoes, and what tells of its connections. */
export async function echoServer(t, options = {}) {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", ...options });
  server.on("connection", (socket) => {
    socket.on("error", () => {});
    socket.on("message", (data, binary) => socket.send(data, { binary }));
  });
  await once(server, "listening");
  t.after(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  return { server, url: `ws://127.0.0.1:${server.address().port}/` };
}

/** A TCP server: `talk` gets each connection and the head of its request. */
export async function rawServer(t, talk) {
  const open = new Set();
  const server = createServer((stream) => {
    open.add(stream);
    stream.on("error", () => {});
    stream.on("close", () => open.delete(stream));
    let head = "";
    const gather = (data) => {
      head += data.toString("latin1");
      if (!head.includes("\r\n\r\n")) return;
      stream.off("data", gather);
      talk(stream, head);
    };
    stream.on("data", gather);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const stream of open) stream.destroy();
    server.close();
  });
  return { server, url: `ws://127.0.0.1:${server.address().port}/` };
}

/** The response that accepts a request, with further header lines. */
export function accept(head, ...further) {
  const key = /^sec-websocket-key: *(\S+)/im.exec(head)[1];
  const value = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  const lines = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${value}`,
    ...further,
  ];
  return `${lines.join("\r\n")}\r\n\r\n`;
}

export { next, toTheEnd } from "./standard/harness.mjs";
