// What a program may say that a page cannot.

import assert from "node:assert/strict";
import { test } from "node:test";
import { WebSocket, configure } from "longwire";
import { createServer } from "node:https";
import { once } from "node:events";
import { WebSocketServer } from "ws";
import { certificate } from "./certificate.mjs";
import { accept, echoServer, next, rawServer, toTheEnd } from "./peer.mjs";

const syntaxError = (error) => error instanceof DOMException && error.name === "SyntaxError" && error.code === 12;

/** Gives up a connection that nobody wants. */
function closing(socket) {
  socket.onerror = () => {};
  socket.close();
  return socket;
}

test("relative URLs are relative to what is configured", (t) => {
  t.after(() => configure({ baseURL: undefined }));
  configure({ baseURL: "https://base.invalid/a/b#c" });
  assert.equal(closing(new WebSocket("../chat?x")).url, "wss://base.invalid/chat?x");
  assert.throws(() => new WebSocket("#c"), syntaxError);
  assert.throws(() => new WebSocket("/", [], { baseURL: "not a URL" }), syntaxError);
});

test("options that browsers do not have reach the server", async (t) => {
  const heads = [];
  const { url } = await rawServer(t, (stream, head) => {
    heads.push(head);
    stream.write(accept(head));
    stream.on("data", () => stream.end());
  });
  const socket = new WebSocket(url.replace("ws://", "ws://me:pw@"), [], {
    headers: { "X-Mine": "yes" },
    origin: "https://app.example",
    perMessageDeflate: false,
  });
  await next(socket, "open");
  assert.match(heads[0], /^x-mine: yes\r$/im);
  assert.match(heads[0], /^origin: https:\/\/app\.example\r$/im);
  assert.match(heads[0], /^authorization: Basic bWU6cHc=\r$/im);
  assert.doesNotMatch(heads[0], /sec-websocket-extensions/i);
  socket.close();
});

test("options that cannot be are a TypeError", () => {
  for (const options of [
    { handshakeTimeout: 0 },
    { closeTimeout: -1 },
    { maxPayload: "x" },
    { heartbeat: { interval: 0 } },
    { heartbeat: { timeout: NaN } },
    { cert: "PEM" },
    { key: "PEM" },
  ]) {
    assert.throws(() => new WebSocket("ws://h.invalid", [], options), TypeError, JSON.stringify(options));
  }
});

const fails = async (socket, names = ["open 1", "error 3", "close 3"]) => {
  const end = await toTheEnd(socket);
  assert.deepEqual(end.names, names);
  assert.deepEqual([end.close.code, end.close.wasClean], [1006, false]);
};

test("a server that does not answer the handshake is given up in time", async (t) => {
  const { url } = await rawServer(t, () => {});
  await fails(new WebSocket(url, [], { handshakeTimeout: 30 }), ["error 3", "close 3"]);
});

test("a server that does not answer the Close frame is given up in time", async (t) => {
  const { url } = await rawServer(t, (stream, head) => stream.write(accept(head)));
  const socket = new WebSocket(url, [], { closeTimeout: 30 });
  socket.onopen = () => socket.close(1000);
  await fails(socket, ["open 2", "error 3", "close 3"]);
});

test("a server that does not answer pings is given up in time, unless it is not asked", async (t) => {
  const { url } = await rawServer(t, (stream, head) => stream.write(accept(head)));
  await fails(new WebSocket(url, [], { heartbeat: { interval: 20, timeout: 20 } }));
  const pings = [];
  const { url: other } = await rawServer(t, (stream, head) => {
    stream.write(accept(head));
    stream.on("data", (data) => pings.push(data));
  });
  const quiet = new WebSocket(other, [], { heartbeat: false });
  await next(quiet, "open");
  quiet.close();
  quiet.unref();
});

test("a message above maxPayload fails the connection", async (t) => {
  const { url } = await echoServer(t);
  const socket = new WebSocket(url, [], { maxPayload: 1000 });
  socket.onopen = () => socket.send("x".repeat(1001));
  await fails(socket);
});

test("a certificate of the client's own is shown, and the server's name may be another", async (t) => {
  const { cert, key } = certificate();
  const https = createServer({ cert, key, ca: cert, requestCert: true, rejectUnauthorized: true });
  const server = new WebSocketServer({ server: https });
  t.after(() => {
    for (const client of server.clients) client.terminate();
    https.close();
  });
  server.on("connection", (socket, request) => socket.send(request.socket.getPeerCertificate().subject.CN));
  await once(https.listen(0, "127.0.0.1"), "listening");
  const url = `wss://127.0.0.1:${https.address().port}`;
  const socket = new WebSocket(url, [], { ca: cert, cert, key, servername: "localhost" });
  assert.equal((await next(socket, "message")).data, "localhost");
  socket.close();
  await fails(new WebSocket(url, [], { ca: cert }), ["error 3", "close 3"]);
  await fails(new WebSocket(url, [], { ca: cert, cert, key, servername: "elsewhere" }), ["error 3", "close 3"]);
});
