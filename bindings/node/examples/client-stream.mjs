// A client as streams: what is typed is sent, what comes back is printed.

import { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { WebSocketStream } from "longwire";

const socket = new WebSocketStream(process.env.URL ?? "ws://localhost:8080/");
const { readable, writable } = await socket.opened;

process.stdin.setEncoding("utf8");
await Promise.all([
  pipeline(process.stdin, Writable.fromWeb(writable, { decodeStrings: false })),
  pipeline(readable, async function* (messages) {
    for await (const message of messages) yield `${message}`;
  }, process.stdout),
]);
