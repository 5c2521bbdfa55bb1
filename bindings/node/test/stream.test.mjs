// https://websockets.spec.whatwg.org/#the-websocketstream-interface

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocketError, WebSocketStream } from "longwire";
import { accept, echoServer, rawServer } from "./peer.mjs";

const named = (name) => (error) => error instanceof DOMException && error.name === name;
const webSocketError = (closeCode, reason = "") => (error) =>
  error instanceof WebSocketError && error.closeCode === closeCode && error.reason === reason;

test("arguments are judged as those of a WebSocket, and the dictionary is converted", () => {
  assert.throws(() => new WebSocketStream(), TypeError);
  for (const url of ["", "ftp://h/", "ws://h/#", "/relative"]) {
    assert.throws(() => new WebSocketStream(url), named("SyntaxError"), url);
  }
  for (const protocols of [["a", "a"], [""], ["a b"]]) {
    assert.throws(() => new WebSocketStream("ws://h.invalid", { protocols }), named("SyntaxError"));
  }
  for (const options of [1, "x", { protocols: 1 }, { protocols: "chat" }, { signal: {} }, { signal: null }]) {
    assert.throws(() => new WebSocketStream("ws://h.invalid", options), TypeError, JSON.stringify(options));
  }
  for (const options of [undefined, null, {}, { protocols: ["a", "b"] }, { signal: undefined }]) {
    const stream = new WebSocketStream("http://h.invalid/x", options);
    assert.equal(stream.url, "ws://h.invalid/x");
    stream.close();
  }
  assert.equal(WebSocketStream.length, 1);
  assert.equal(WebSocketStream.prototype.close.length, 0);
  assert.equal(String(Object.create(WebSocketStream.prototype)), "[object WebSocketStream]");
});

test("messages go both ways over the streams of an opened connection", async (t) => {
  const { url } = await echoServer(t, { handleProtocols: () => "chat" });
  const stream = new WebSocketStream(url, { protocols: ["chat"] });
  const { readable, writable, extensions, protocol } = await stream.opened;
  assert.deepEqual([extensions, protocol], ["", "chat"]);
  assert.ok(readable instanceof ReadableStream && writable instanceof WritableStream);
  const reader = readable.getReader();
  const writer = writable.getWriter();
  const bytes = new Uint8Array([1, 2, 3, 4]);
  for (const [chunk, back] of [
    ["text", "text"],
    ["", ""],
    ["\ud800", "\ufffd"],
    [7, "7"],
    [bytes.subarray(1, 3), Uint8Array.of(2, 3)],
    [bytes.buffer, bytes],
    [new Uint8Array(1 << 20).fill(5), new Uint8Array(1 << 20).fill(5)],
  ]) {
    await writer.write(chunk);
    const { value, done } = await reader.read();
    assert.ok(!done);
    assert.deepEqual(value, back);
  }
  await assert.rejects(writer.write(Symbol("x")), TypeError);
  stream.close({ closeCode: 4000, reason: "done" });
  assert.deepEqual(await stream.closed, { closeCode: 4000, reason: "done" });
  assert.deepEqual(await reader.read(), { value: undefined, done: true });
});

test("a signal gives up a connection until it is established", async (t) => {
  let connections = 0;
  const { server } = await rawServer(t, () => {});
  server.on("connection", () => connections++);
  const url = `ws://127.0.0.1:${server.address().port}/`;
  const before = new WebSocketStream(url, { signal: AbortSignal.abort() });
  await assert.rejects(before.opened, named("AbortError"));
  await assert.rejects(before.closed, named("AbortError"));
  const controller = new AbortController();
  const during = new WebSocketStream(url, { signal: controller.signal });
  const [stream] = await once(server, "connection");
  const reason = { mine: true };
  controller.abort(reason);
  await assert.rejects(during.opened, (error) => error === reason);
  await assert.rejects(during.closed, (error) => error === reason);
  await once(stream.resume(), "close");
  assert.equal(connections, 1);
  during.close();

  const { url: echo } = await echoServer(t);
  const late = new AbortController();
  const after = new WebSocketStream(echo, { signal: late.signal });
  const { writable, readable } = await after.opened;
  late.abort();
  await writable.getWriter().write("still here");
  assert.equal((await readable.getReader().read()).value, "still here");
  after.close();
  await after.closed;
});

test("a connection that is never established rejects both, and says nothing of why", async (t) => {
  const { url } = await rawServer(t, (stream) => stream.end("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"));
  for (const address of [url, "ws://host.invalid/", "ws://127.0.0.1:6667/"]) {
    const stream = new WebSocketStream(address);
    await assert.rejects(stream.opened, webSocketError(null));
    await assert.rejects(stream.closed, webSocketError(1006));
  }
  const { url: silent } = await rawServer(t, () => {});
  const stream = new WebSocketStream(silent);
  stream.close({ closeCode: 4000 });
  await assert.rejects(stream.opened, webSocketError(null));
  await assert.rejects(stream.closed, webSocketError(1006));
});

test("each way to end it sends the Close frame that it should", async (t) => {
  const { server, url } = await echoServer(t);
  const error = (init) => new WebSocketError("", init);
  for (const [way, code, reason] of [
    [(s) => s.close(), 1005, ""],
    [(s) => s.close({}), 1005, ""],
    [(s) => s.close({ closeCode: 3000, reason: "x" }), 3000, "x"],
    [(s) => s.close({ reason: "x" }), 1000, "x"],
    [(s, { readable }) => readable.cancel(), 1005, ""],
    [(s, { readable }) => readable.cancel(error({ closeCode: 4001, reason: "r" })), 4001, "r"],
    [(s, { readable }) => readable.cancel(new Error("other")), 1005, ""],
    [(s, { writable }) => writable.abort(), 1005, ""],
    [(s, { writable }) => writable.abort(error({ reason: "r" })), 1000, "r"],
    [(s, { writable }) => writable.abort({ closeCode: 4001, reason: "no such error" }), 1005, ""],
    [(s, { writable }) => writable.close(), 1005, ""],
    [(s, { writable }) => writable.getWriter().close(), 1005, ""],
  ]) {
    const seen = new Promise((resolve) => {
      server.once("connection", (socket) => {
        socket.once("close", (code, reason) => resolve([code, reason.toString()]));
      });
    });
    const stream = new WebSocketStream(url);
    const opened = await stream.opened;
    await way(stream, opened);
    assert.deepEqual(await seen, [code, reason], String(way));
    assert.deepEqual(await stream.closed, { closeCode: code, reason });
    stream.close({ closeCode: 4000 });
  }
});

test("codes and reasons are judged", async () => {
  const stream = new WebSocketStream("ws://h.invalid");
  for (const closeCode of [0, 999, 1001, 1005, 2999, 5000, null, false]) {
    assert.throws(() => stream.close({ closeCode }), named("InvalidAccessError"), String(closeCode));
    assert.throws(() => new WebSocketError("", { closeCode }), named("InvalidAccessError"));
  }
  for (const closeCode of [-1, 65_536, NaN, Infinity, "x"]) {
    assert.throws(() => stream.close({ closeCode }), TypeError, String(closeCode));
    assert.throws(() => new WebSocketError("", { closeCode }), TypeError);
  }
  assert.throws(() => stream.close(1000), TypeError);
  assert.throws(() => stream.close({ reason: "\u00e9".repeat(62) }), named("SyntaxError"));
  assert.throws(() => new WebSocketError("", { reason: "x".repeat(124) }), named("SyntaxError"));
  stream.close({ closeCode: 1000, reason: "x".repeat(123) });
  await assert.rejects(stream.closed);
});

test("a WebSocketError is a DOMException with a code and a reason", () => {
  const bare = new WebSocketError();
  assert.deepEqual([bare.name, bare.message, bare.code, bare.closeCode, bare.reason], ["WebSocketError", "", 0, null, ""]);
  assert.ok(bare instanceof DOMException && bare instanceof Error);
  assert.equal(new WebSocketError("m", { reason: "r" }).closeCode, 1000);
  assert.equal(new WebSocketError("m", { closeCode: 4999 }).closeCode, 4999);
  assert.equal(new WebSocketError(undefined, { reason: "\ud800" }).reason, "\ufffd");
  assert.equal(Object.prototype.toString.call(bare), "[object WebSocketError]");
  assert.equal(WebSocketError.length, 0);
  assert.deepEqual(Object.getOwnPropertyNames(WebSocketError).sort(), ["length", "name", "prototype"]);
});

test("messages that are unread when the server closes are read before the end", async (t) => {
  const { server, url } = await echoServer(t);
  server.on("connection", (socket) => {
    for (let i = 0; i < 500; i++) socket.send(String(i));
    socket.close(4002, "that was it");
  });
  const stream = new WebSocketStream(url);
  const { readable, writable } = await stream.opened;
  const got = [];
  for await (const message of readable) got.push(message);
  assert.deepEqual(got, Array.from({ length: 500 }, (_, i) => String(i)));
  assert.deepEqual(await stream.closed, { closeCode: 4002, reason: "that was it" });
  await assert.rejects(writable.getWriter().write("late"), named("InvalidStateError"));
});

test("an end without a closing handshake is an error to all", async (t) => {
  const { url } = await rawServer(t, (stream, head) => {
    stream.write(accept(head));
    stream.write(Buffer.from([0x81, 1, 0x61]));
    setTimeout(() => stream.destroy(), 50);
  });
  const stream = new WebSocketStream(url);
  const { readable, writable } = await stream.opened;
  const reader = readable.getReader();
  assert.equal((await reader.read()).value, "a");
  await assert.rejects(stream.closed, webSocketError(1006));
  await assert.rejects(reader.read(), webSocketError(1006));
  await assert.rejects(writable.getWriter().write("late"), webSocketError(1006));
});

test("who stops reading makes the server stop sending, and the other way round", async (t) => {
  let sent = 0;
  const { server, url } = await echoServer(t, { perMessageDeflate: false });
  server.on("connection", (socket, request) => {
    if (request.url === "/unread") return socket.pause();
    const pour = () => {
      if (socket.readyState !== 1) return;
      sent += 1 << 16;
      socket.send(Buffer.alloc(1 << 16), pour);
    };
    pour();
  });
  const settled = async (count) => {
    for (let before = -1; before !== count(); await sleep(200)) {
      before = count();
      assert.ok(before < 64 << 20, "nobody waits");
    }
    return count();
  };
  const stream = new WebSocketStream(`${url}pour`);
  const { readable } = await stream.opened;
  const before = await settled(() => sent);
  const reader = readable.getReader();
  for (let got = 0; got <= before; ) got += (await reader.read()).value.byteLength;
  assert.ok((await settled(() => sent)) > before);
  await reader.cancel();

  const unread = new WebSocketStream(`${url}unread`, {}, { perMessageDeflate: false });
  const writer = (await unread.opened).writable.getWriter();
  let written = 0;
  const writing = (async () => {
    for (;;) {
      await writer.write(new Uint8Array(1 << 16));
      written += 1 << 16;
    }
  })();
  writing.catch(() => {});
  await settled(() => written);
  for (const client of server.clients) client.terminate();
  await assert.rejects(unread.closed, webSocketError(1006));
  await assert.rejects(writing, webSocketError(1006));
});

test("an end without a closing handshake is one and the same error to all", async (t) => {
  const { url } = await rawServer(t, (stream, head) => {
    stream.write(accept(head));
    stream.once("data", () => stream.destroy());
  });
  const stream = new WebSocketStream(url);
  const { readable, writable } = await stream.opened;
  const writer = writable.getWriter();
  writer.closed.catch(() => {});
  const read = readable.getReader().read();
  writer.write("x").catch(() => {});
  const errors = await Promise.all([read, stream.closed, writer.closed].map((promise) => promise.catch((error) => error)));
  assert.ok(errors[0] instanceof WebSocketError);
  assert.equal(errors[0], errors[1]);
  assert.equal(errors[0], errors[2]);
  assert.equal(errors[0].closeCode, 1006);
});
