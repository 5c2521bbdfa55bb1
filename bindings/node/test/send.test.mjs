// https://websockets.spec.whatwg.org/#dom-websocket-send

import assert from "node:assert/strict";
import { mkdtempSync, openAsBlob, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { runInNewContext } from "node:vm";
import { MessageEvent, WebSocket } from "longwire";
import { accept, echoServer, next, rawServer, toTheEnd } from "./peer.mjs";

async function opened(url, options) {
  const socket = new WebSocket(url, [], options);
  socket.binaryType = "arraybuffer";
  await next(socket, "open");
  return socket;
}

const invalidState = (error) => error instanceof DOMException && error.name === "InvalidStateError";

test("what is sent while connecting is an InvalidStateError", () => {
  const socket = new WebSocket("ws://h.invalid");
  for (const data of ["text", new Uint8Array(1), new ArrayBuffer(1), new Blob(["x"])]) {
    assert.throws(() => socket.send(data), invalidState);
  }
  assert.throws(() => socket.send(), TypeError);
  assert.throws(() => socket.send(Symbol("x")), TypeError);
  assert.equal(socket.bufferedAmount, 0);
  socket.close();
});

test("each type of data arrives as what it is, in order", async (t) => {
  const { url } = await echoServer(t);
  const socket = await opened(url);
  const bytes = new Uint8Array([0, 1, 2, 3, 4, 5, 6, 7]);
  const cases = [
    ["", ""],
    ["text", "text"],
    ["\u00e9 \u20ac \u{1f600}", "\u00e9 \u20ac \u{1f600}"],
    ["lone \ud800 and \udc00", "lone \ufffd and \ufffd"],
    [null, "null"],
    [undefined, "undefined"],
    [42, "42"],
    [{ toString: () => "object" }, "object"],
    [["a", "b"], "a,b"],
    [new ArrayBuffer(0), []],
    [bytes, [...bytes]],
    [bytes.buffer, [...bytes]],
    [bytes.subarray(2, 5), [2, 3, 4]],
    [new DataView(bytes.buffer, 6), [6, 7]],
    [new Uint16Array(bytes.buffer, 2, 2), [2, 3, 4, 5]],
    [new Float64Array(bytes.buffer), [...bytes]],
    [Buffer.from("buffer"), [...Buffer.from("buffer")]],
    [new Blob(["blob ", bytes.subarray(0, 1)]), [...Buffer.from("blob \0")]],
    ["behind a blob", "behind a blob"],
    [new Blob([]), []],
    [bytes.subarray(7), [7]],
  ];
  const expected = cases.map(([, back]) => back);
  const got = [];
  const all = new Promise((resolve) => {
    socket.onmessage = ({ data }) => {
      got.push(typeof data === "string" ? data : [...new Uint8Array(data)]);
      if (got.length === cases.length) resolve();
    };
  });
  for (const [data] of cases) socket.send(data);
  await all;
  assert.deepEqual(got, expected);
  socket.close();
});

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

test("what is sent as a blob goes out before the close, and the state is CLOSING at once", async (t) => {
  const { server, url } = await echoServer(t);
  const got = new Promise((resolve) => {
    server.once("connection", (peer) => {
      const messages = [];
      peer.on("message", (data) => messages.push(data.toString()));
      peer.on("close", (code) => resolve([messages, code]));
    });
  });
  const socket = await opened(url);
  let told = 0;
  socket.onmessage = () => told++;
  socket.send("first");
  socket.send(new Blob(["blob"]));
  socket.send("last");
  socket.close(4000);
  assert.equal(socket.readyState, 2);
  socket.close(4001);
  socket.send("too late");
  const close = await next(socket, "close");
  assert.deepEqual(await got, [["first", "blob", "last"], 4000]);
  assert.deepEqual([close.code, close.wasClean, told], [4000, true, 0]);
});

test("messages of every length come back", async (t) => {
  const { url } = await echoServer(t, { maxPayload: 1 << 27 });
  const socket = await opened(url);
  for (const length of [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20, 16 << 20]) {
    const bytes = new Uint8Array(length).fill(length % 251);
    socket.send(bytes);
    const { data } = await next(socket, "message");
    assert.ok(data instanceof ArrayBuffer && Buffer.from(data).equals(bytes), `${length} bytes`);
    const text = "\u00e9".repeat(length >> 1);
    socket.send(text);
    assert.equal((await next(socket, "message")).data, text);
  }
  socket.close();
});

test("data is that of the moment of sending", async (t) => {
  const { url } = await echoServer(t);
  const socket = await opened(url);
  const bytes = new Uint8Array([1, 2, 3]);
  socket.send(bytes);
  bytes.fill(9);
  assert.deepEqual([...new Uint8Array((await next(socket, "message")).data)], [1, 2, 3]);
  // Also behind a blob that has to be read first.
  socket.send(new Blob(["x"]));
  socket.send(bytes);
  bytes.fill(0);
  await next(socket, "message");
  assert.deepEqual([...new Uint8Array((await next(socket, "message")).data)], [9, 9, 9]);
  socket.close();
});

test("a message event has data by the binaryType of its time, and the origin", async (t) => {
  const { url } = await echoServer(t);
  const socket = await opened(url);
  socket.binaryType = "blob";
  socket.send(new Uint8Array([1]));
  socket.send(new Uint8Array([2]));
  const first = await next(socket, "message");
  assert.ok(first instanceof MessageEvent && first.data instanceof Blob);
  assert.deepEqual([first.data.size, first.data.type, first.origin], [1, "", url.slice(0, -1)]);
  assert.deepEqual([first.lastEventId, first.source, first.ports, first.bubbles], ["", null, [], false]);
  socket.binaryType = "arraybuffer";
  const second = await next(socket, "message");
  assert.deepEqual([...new Uint8Array(second.data)], [2]);
  socket.close();
});

test("bufferedAmount counts payload to the end of the turn, whatever the network takes", async (t) => {
  const { url } = await echoServer(t);
  const socket = await opened(url);
  socket.send("\u00e9");
  assert.equal(socket.bufferedAmount, 2);
  socket.send(new Uint8Array(100).subarray(40));
  assert.equal(socket.bufferedAmount, 62);
  socket.send(new Blob(["four"]));
  assert.equal(socket.bufferedAmount, 66);
  await Promise.resolve();
  assert.equal(socket.bufferedAmount, 66);
  while (socket.bufferedAmount > 0) await turn();
  socket.close();
  socket.send("lost");
  assert.equal(socket.bufferedAmount, 4);
  await next(socket, "close");
  socket.send(new Uint8Array(3));
  await turn();
  assert.equal(socket.bufferedAmount, 7);
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

test("one event is one task: microtasks of one come before the next", async (t) => {
  const { server, url } = await echoServer(t);
  server.on("connection", (socket) => {
    for (let i = 0; i < 100; i++) socket.send(String(i));
    socket.close();
  });
  const socket = new WebSocket(url);
  const order = [];
  socket.onopen = () => queueMicrotask(() => order.push("after open"));
  socket.onmessage = ({ data }) => {
    order.push(data);
    Promise.resolve().then(() => Promise.resolve()).then(() => order.push(`after ${data}`));
  };
  await next(socket, "close");
  const expected = ["after open"];
  for (let i = 0; i < 100; i++) expected.push(String(i), `after ${i}`);
  assert.deepEqual(order, expected);
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
