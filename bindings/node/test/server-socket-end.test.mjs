// How a socket of a WebSocketServer ends, and what programs do with one that is odd.

import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { WebSocketServer } from "longwire";
import { WebSocket as Client } from "ws";
import { called, pair } from "./server-peer.mjs";

describe("the end of a socket", () => {
  test("is told although it is paused, behind what it has not read", async (t) => {
    for (const end of ["terminate", "reset", "close"]) {
      const { client, socket, server } = await pair(t, { closeTimeout: 50 });
      const got = [];
      socket.on("message", (data) => got.push(String(data)));
      socket.pause();
      client.send("unread");
      // The pong is behind the message: both are there, or held back, once it has come.
      const ponged = new Promise((resolve) => client.on("pong", resolve));
      client.ping();
      await ponged;
      const closed = once(socket, "close");
      if (end === "reset") client._socket.resetAndDestroy();
      else socket[end]();
      await closed;
      assert.equal(server.clients.size, 0);
      assert.equal(socket.readyState, 3);
    }
  });

  test("comes in a turn after the last message, and what that has led to", async (t) => {
    const { client, socket } = await pair(t);
    const order = [];
    socket.on("message", () => {
      order.push("message");
      process.nextTick(() => order.push("tick"));
      Promise.resolve().then(() => order.push("microtask"));
    });
    const closed = new Promise((resolve) => socket.on("close", resolve));
    socket.on("close", () => order.push("close"));
    client.send("last");
    client.close();
    await closed;
    assert.deepEqual(order, ["message", "tick", "microtask", "close"]);
  });

  test("comes after the callbacks of what was sent", async (t) => {
    const { socket } = await pair(t);
    const order = [];
    socket.send("last", () => order.push("sent"));
    socket.close();
    await new Promise((resolve) => {
      socket.on("close", () => {
        order.push("close");
        resolve();
      });
    });
    assert.deepEqual(order, ["sent", "close"]);
  });

  test("is known to the server whatever listeners the program takes away", async (t) => {
    const { server, socket } = await pair(t);
    socket.removeAllListeners();
    const closed = new Promise((resolve) => server.close(resolve));
    socket.terminate();
    await closed;
    assert.equal(server.clients.size, 0);
  });
});

describe("odd uses", () => {
  test("a listener may transfer what it gets, and the others get theirs", async (t) => {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    await once(server, "listening");
    const count = 50;
    let got = 0;
    let closed = 0;
    const done = new Promise((resolve) => {
      server.on("connection", (socket) => {
        socket.on("message", (data) => {
          got++;
          try {
            structuredClone(data, { transfer: [data.buffer] });
          } catch {
            // Later versions of Node say that it cannot be.
          }
        });
        socket.on("close", () => ++closed === count && resolve());
      });
    });
    const clients = Array.from({ length: count }, () => new Client(`ws://127.0.0.1:${server.address().port}`));
    await Promise.all(clients.map((client) => once(client, "open")));
    for (const client of clients) client.send("x");
    for (const client of clients) client.close();
    await done;
    assert.equal(got, count);
    await new Promise((resolve) => server.close(resolve));
  });

  test("arguments that ws takes are taken", async (t) => {
    const { client, socket } = await pair(t);
    const got = [];
    client.on("message", (data) => got.push(String(data)));
    socket.send();
    socket.send(null);
    socket.send("x", null, () => {});
    socket.send(new Uint8Array(new SharedArrayBuffer(2)).fill(65));
    const ponged = once(socket, "pong");
    socket.ping(null);
    await ponged;
    socket.pong(null);
    const closed = once(client, "close");
    socket.close(1000, Uint8Array.of(97, 98));
    const [code, reason] = await closed;
    assert.deepEqual([code, String(reason)], [1000, "ab"]);
    assert.deepEqual(got, ["", "", "x", "AA"]);
  });

  test("two hundred pings in a turn are all sent", async (t) => {
    const { client, socket } = await pair(t);
    // A connection that is new is not known to take anything yet, and few pings may wait.
    const ponged = once(socket, "pong");
    socket.ping();
    await ponged;
    let pings = 0;
    const all = new Promise((resolve) => client.on("ping", () => ++pings === 200 && resolve()));
    const sent = Array.from({ length: 200 }, (_, i) => called((done) => socket.ping(String(i), done)));
    assert.deepEqual(await Promise.all(sent), Array(200).fill(undefined));
    await all;
  });

  test("pongs that the heartbeat has asked for are not told", async (t) => {
    const { client, socket } = await pair(t, { heartbeat: { interval: 5, timeout: 1000 } });
    const told = [];
    socket.on("pong", (data) => told.push(String(data)));
    let pings = 0;
    await new Promise((resolve) => client.on("ping", () => ++pings === 5 && resolve()));
    const ponged = once(socket, "pong");
    socket.ping("mine");
    await ponged;
    assert.deepEqual(told, ["mine"]);
  });

  test("listeners that were all removed may be added again", async (t) => {
    const { client, socket } = await pair(t);
    const got = [];
    const listener = ({ data }) => got.push(data);
    socket.addEventListener("message", listener);
    socket.onmessage = listener;
    socket.removeAllListeners("message");
    assert.equal(socket.onmessage, null);
    socket.addEventListener("message", listener);
    client.send("once");
    await once(socket, "message");
    assert.deepEqual(got, ["once"]);
  });
});
