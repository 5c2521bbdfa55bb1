// A socket of a WebSocketServer as a stream of Node.

import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { pipeline } from "node:stream/promises";
import { createWebSocketStream } from "longwire";
import { pair } from "./server-peer.mjs";

describe("createWebSocketStream", () => {
  test("pipes both ways with backpressure, and ends", async (t) => {
    const { client, socket } = await pair(t);
    const stream = createWebSocketStream(socket);
    const echoing = pipeline(stream, stream).catch(() => {});
    let received = 0;
    const done = new Promise((resolve) => {
      client.on("message", (data) => {
        received += data.length;
        if (received === 32 << 20) resolve();
      });
    });
    for (let i = 0; i < 32; i++) client.send(Buffer.alloc(1 << 20, i));
    await done;
    client.close();
    await once(client, "close");
    await echoing;
  });

  test("text is text in object mode", async (t) => {
    const { client, socket } = await pair(t);
    const stream = createWebSocketStream(socket, { readableObjectMode: true });
    client.send("one");
    client.send(Buffer.from("two"));
    client.close();
    const got = [];
    for await (const chunk of stream) got.push(chunk);
    assert.deepEqual(got, ["one", Buffer.from("two")]);
  });

  test("destroying it drops the connection", async (t) => {
    const { client, socket } = await pair(t);
    const stream = createWebSocketStream(socket);
    stream.on("error", () => {});
    const closed = once(client, "close");
    stream.destroy(new Error("enough"));
    assert.equal((await closed)[0], 1006);
  });
});
