// What Node has and a browser does not, and what programs put in the place of things.

import assert from "node:assert/strict";
import { mkdtempSync, openAsBlob, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { runInNewContext } from "node:vm";
import { WebSocket } from "longwire";
import { accept, echoServer, next, rawServer, toTheEnd } from "./peer.mjs";

async function opened(url, options) {
  const socket = new WebSocket(url, [], options);
  socket.binaryType = "arraybuffer";
  await next(socket, "open");
  return socket;
}

test("buffers of another realm are buffers, and shared ones are a TypeError", async (t) => {
  const { url } = await echoServer(t);
  const socket = await opened(url);
  socket.send(runInNewContext("new Uint8Array([1, 2]).buffer"));
  assert.deepEqual([...new Uint8Array((await next(socket, "message")).data)], [1, 2]);
  socket.send(runInNewContext("new Uint8Array([3])"));
  assert.deepEqual([...new Uint8Array((await next(socket, "message")).data)], [3]);
  const detached = new Uint8Array(3);
  structuredClone(null, { transfer: [detached.buffer] });
  for (const data of [detached, detached.buffer]) {
    socket.send(data);
    assert.equal((await next(socket, "message")).data.byteLength, 0);
  }
  const shared = new SharedArrayBuffer(4);
  assert.throws(() => socket.send(new Uint8Array(shared)), TypeError);
  socket.close();
});

test("timers that a test has faked change nothing", async (t) => {
  const { url } = await echoServer(t);
  const socket = await opened(url);
  const real = globalThis.setImmediate;
  globalThis.setImmediate = () => {};
  t.after(() => (globalThis.setImmediate = real));
  for (const text of ["a", "b", "c"]) socket.send(text);
  for (const text of ["a", "b", "c"]) assert.equal((await next(socket, "message")).data, text);
  socket.close();
});

test("bufferedAmount falls as the server reads, and stays where the connection is lost", async (t) => {
  let stream;
  const { url } = await rawServer(t, (connection, head) => {
    stream = connection;
    stream.pause();
    stream.write(accept(head));
  });
  const socket = await opened(url);
  const size = 32 << 20;
  socket.send(new Uint8Array(size));
  await turn();
  const waiting = socket.bufferedAmount;
  assert.ok(waiting > 0 && waiting <= size, `${waiting} bytes`);
  stream.resume();
  while (socket.bufferedAmount > 0) await turn();
  stream.pause();
  socket.send(new Uint8Array(size));
  stream.destroy();
  await next(socket, "close");
  await turn();
  assert.ok(socket.bufferedAmount > 0);
});

test("a blob that cannot be read fails the connection", async (t) => {
  const { url } = await echoServer(t);
  const socket = new WebSocket(url);
  await next(socket, "open");
  const folder = mkdtempSync(join(tmpdir(), "longwire-"));
  const file = join(folder, "blob");
  writeFileSync(file, "lost");
  const blob = await openAsBlob(file);
  rmSync(folder, { recursive: true });
  const end = toTheEnd(socket);
  socket.send(blob);
  const { names, close } = await end;
  assert.deepEqual(names, ["error 3", "close 3"]);
  assert.equal(close.code, 1006);
});

test("what is received can be transferred, whatever its size", async (t) => {
  const { url } = await echoServer(t);
  const socket = await opened(url);
  for (const size of [1, 20_000, 1 << 20]) {
    socket.send(new Uint8Array(size));
    const { data } = await next(socket, "message");
    const there = structuredClone(data, { transfer: [data] });
    assert.deepEqual([data.byteLength, there.byteLength], [0, size]);
  }
  socket.close();
});

test("a bufferedAmount that is mocked stops nothing from being sent", async (t) => {
  const { url } = await echoServer(t);
  const socket = await opened(url);
  Object.defineProperty(socket, "bufferedAmount", { get: () => 0 });
  for (const text of ["a", "b", "c"]) {
    socket.send(text);
    assert.equal((await next(socket, "message")).data, text);
  }
  socket.close();
});

test("methods of an EventTarget that a program overrides are not what fires events", async (t) => {
  const { url } = await echoServer(t);
  class Mine extends WebSocket {
    addEventListener() {
      assert.fail("expected not to be called");
    }
    dispatchEvent() {
      assert.fail("expected not to be called");
    }
  }
  const socket = new Mine(url);
  await new Promise((resolve) => (socket.onopen = resolve));
  socket.close();
  await new Promise((resolve) => (socket.onclose = resolve));
});

test("what an error listener has left for later comes before the close event", async (t) => {
  const { url } = await rawServer(t, (stream) => stream.end());
  const socket = new WebSocket(url);
  await next(socket, "error");
  assert.equal(socket.readyState, 3);
  const { code } = await next(socket, "close");
  assert.equal(code, 1006);
});

test("answers to many messages do not wait for the last of them", async (t) => {
  const { server, url } = await echoServer(t);
  const socket = await opened(url);
  const [peer] = server.clients;
  let answers = 0;
  peer.removeAllListeners("message");
  peer.on("message", () => answers++);
  for (let i = 0; i < 900; i++) peer.send(String(i));
  let most = 0;
  await new Promise((resolve) => {
    socket.onmessage = ({ data }) => {
      most = Math.max(most, socket.bufferedAmount);
      socket.send(new Uint8Array(2000));
      if (data === "899") resolve();
    };
  });
  assert.ok(most < 900_000, `${most} bytes seemed to wait`);
  while (answers < 900) await turn();
  socket.close();
});
