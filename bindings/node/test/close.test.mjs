// https://websockets.spec.whatwg.org/#dom-websocket-close and #feedback-from-the-protocol

import assert from "node:assert/strict";
import { test } from "node:test";
import { CloseEvent, WebSocket } from "longwire";
import { accept, echoServer, next, rawServer, toTheEnd } from "./peer.mjs";

test("a code is judged, after it was clamped", () => {
  const socket = new WebSocket("ws://h.invalid");
  const invalid = (error) => error instanceof DOMException && error.name === "InvalidAccessError";
  for (const code of [
    0, 1, 999, 1001, 1005, 1006, 1015, 2999, 5000, 65_535, -1, NaN, null, "x", 999.4, 1000.6, 4999.6, 70_000,
    Infinity, {}, [], false,
  ]) {
    assert.throws(() => socket.close(code), invalid, String(code));
  }
  assert.throws(() => socket.close(Symbol("x")), TypeError);
  assert.equal(socket.readyState, 0);
  for (const code of [1000, 3000, 4999, "3000", 999.6, 1000.5, 4999.4, undefined]) socket.close(code);
  assert.equal(socket.readyState, 2);
  for (let code = 0; code <= 5000; code++) {
    const good = code === 1000 || (code >= 3000 && code <= 4999);
    if (good) socket.close(code);
    else assert.throws(() => socket.close(code), invalid);
  }
});

test("a reason is at most 123 bytes in UTF-8", () => {
  const socket = new WebSocket("ws://h.invalid");
  const tooLong = (error) => error instanceof DOMException && error.name === "SyntaxError";
  for (const reason of ["x".repeat(124), "\u00e9".repeat(62), "\ud800".repeat(42), `${"x".repeat(122)}\u00e9`]) {
    assert.throws(() => socket.close(1000, reason), tooLong);
    assert.throws(() => socket.close(undefined, reason), tooLong);
  }
  for (const reason of ["x".repeat(123), "\u00e9".repeat(61), "\ud800".repeat(41), "", undefined, null, 7]) {
    socket.close(1000, reason);
  }
  assert.throws(() => socket.close(1000, Symbol("x")), TypeError);
});

test("the Close frame has what was given, and the event what the server answers", async (t) => {
  const { server, url } = await echoServer(t);
  for (const [args, code, reason] of [
    [[], 1005, ""],
    [[undefined, ""], 1005, ""],
    [[1000], 1000, ""],
    [[3000, "why"], 3000, "why"],
    [[4999, "\u00e9\ud800"], 4999, "\u00e9\ufffd"],
    [[undefined, "why"], 1000, "why"],
  ]) {
    const seen = new Promise((resolve) => {
      server.once("connection", (socket) => {
        socket.once("close", (code, reason) => resolve([code, reason.toString()]));
      });
    });
    const socket = new WebSocket(url);
    await next(socket, "open");
    socket.close(...args);
    assert.equal(socket.readyState, WebSocket.CLOSING);
    socket.close(4000, "again");
    const { names, close } = await toTheEnd(socket);
    assert.deepEqual(names, ["close 3"]);
    assert.ok(close instanceof CloseEvent);
    assert.deepEqual(await seen, [code, reason]);
    assert.deepEqual([close.code, close.reason, close.wasClean], [code, reason, true]);
  }
});

test("every code that a server may send is told", async (t) => {
  const { server, url } = await echoServer(t);
  const codes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999];
  for (const code of codes) {
    server.once("connection", (socket) => socket.close(code, `r${code}`));
    const { names, close } = await toTheEnd(new WebSocket(url));
    assert.deepEqual(names, ["open 1", "close 3"]);
    assert.deepEqual([close.code, close.reason, close.wasClean], [code, `r${code}`, true]);
  }
});

test("every other code fails the connection", async (t) => {
  const frame = (code) => Buffer.from([0x88, 2, code >> 8, code & 0xff]);
  let code;
  const { url } = await rawServer(t, (stream, head) => {
    stream.write(accept(head));
    stream.write(frame(code));
  });
  for (code of [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65_535]) {
    const { names, close } = await toTheEnd(new WebSocket(url));
    assert.deepEqual(names, ["open 1", "error 3", "close 3"], `${code}`);
    assert.deepEqual([close.code, close.reason, close.wasClean], [1006, "", false]);
  }
});

test("closing while connecting fails the connection, in a later task", async (t) => {
  const { url } = await rawServer(t, () => {});
  const socket = new WebSocket(url);
  const ended = toTheEnd(socket);
  socket.close(1000, "never mind");
  assert.equal(socket.readyState, 2);
  const { names, close } = await ended;
  assert.deepEqual(names, ["error 3", "close 3"]);
  assert.deepEqual([close.code, close.reason, close.wasClean], [1006, "", false]);
});

test("whatever is wrong with a handshake, the program is told the same", async (t) => {
  const answers = [
    () => "",
    () => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    () => "HTTP/1.1 301 Moved\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
    () => "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n",
    () => "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
    () => "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
    () => "HTTP/1.1 101 Switching Protocols\r\n\r\n",
    (head) => accept(head).replace(/Sec-WebSocket-Accept: ./, "Sec-WebSocket-Accept: !"),
    (head) => accept(head).replace("Upgrade: websocket", "Upgrade: other"),
    (head) => accept(head, "Sec-WebSocket-Protocol: unasked"),
    (head) => accept(head, "Sec-WebSocket-Extensions: x-unknown"),
    () => "garbage\r\n\r\n",
  ];
  let answer;
  const { url, server } = await rawServer(t, (stream, head) => stream.end(answer(head)));
  const fails = async (socket) => {
    const { names, close } = await toTheEnd(socket);
    assert.deepEqual(names, ["error 3", "close 3"]);
    assert.deepEqual([close.code, close.reason, close.wasClean], [1006, "", false]);
  };
  for (answer of answers) await fails(new WebSocket(url));
  const gone = `ws://127.0.0.1:${server.address().port}/`;
  await fails(new WebSocket("ws://host.invalid/"));
  await fails(new WebSocket("ws://127.0.0.1:6667/"));
  await fails(new WebSocket(gone.replace("ws:", "wss:")));
});

test("a connection that breaks is an error and 1006", async (t) => {
  let bytes;
  const { url } = await rawServer(t, (stream, head) => {
    stream.write(accept(head));
    setImmediate(() => (bytes === "reset" ? stream.resetAndDestroy() : stream.end(bytes)));
  });
  for (bytes of ["", "reset", Buffer.from([0x81, 5, 72]), Buffer.from([0xff, 0]), Buffer.from([0x81, 1, 0xff])]) {
    const { names, close } = await toTheEnd(new WebSocket(url));
    assert.deepEqual(names, ["open 1", "error 3", "close 3"]);
    assert.deepEqual([close.code, close.reason, close.wasClean], [1006, "", false]);
  }
});

test("messages that cross our close are not told", async (t) => {
  const { server, url } = await echoServer(t);
  server.on("connection", (socket) => socket.send("first"));
  const socket = new WebSocket(url);
  const got = [];
  socket.onmessage = ({ data }) => {
    got.push(data);
    socket.send("echo this");
    socket.close();
  };
  await next(socket, "close");
  assert.deepEqual(got, ["first"]);
});
