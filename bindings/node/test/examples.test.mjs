// Every program in ../examples, run as its reader would.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { WebSocket as Client } from "ws";
import { certificate } from "./certificate.mjs";
import { echoServer } from "./peer.mjs";

const FOLDER = fileURLToPath(new URL("../examples", import.meta.url));

const tested = new Set();

/** Runs an example: `line()` is the next of its output. */
function run(t, name, env = {}) {
  tested.add(name);
  const child = spawn(process.execPath, [join(FOLDER, name)], {
    env: { ...process.env, PORT: "0", ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  t.after(() => child.kill());
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return { child, line: async () => (await lines.next()).value };
}

/** Runs one that listens: `url` is where. */
async function serve(t, name, env) {
  const running = run(t, name, env);
  const [, port] = /^listening on (\d+)$/.exec(await running.line());
  return { ...running, url: `ws://127.0.0.1:${port}`, port };
}

function client(t, ...args) {
  const socket = new Client(...args);
  t.after(() => socket.terminate());
  return socket;
}

const text = async (socket) => String((await once(socket, "message"))[0]);

test("server.mjs greets, and prints what it is told", async (t) => {
  const { url, line } = await serve(t, "server.mjs");
  const socket = client(t, url);
  assert.equal(await text(socket), "something");
  socket.send("hello");
  assert.equal(await line(), "received: hello");
});

test("https-server.mjs does so over TLS", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "longwire-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const [CERT, KEY] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  const { cert, key } = certificate();
  writeFileSync(CERT, cert);
  writeFileSync(KEY, key);
  const { port, line } = await serve(t, "https-server.mjs", { CERT, KEY });
  const socket = client(t, `wss://localhost:${port}`, { ca: cert });
  assert.equal(await text(socket), "something");
  socket.send("hello");
  assert.equal(await line(), "received: hello");
});

test("two-servers.mjs tells its servers by their paths", async (t) => {
  const { url } = await serve(t, "two-servers.mjs");
  assert.equal(await text(client(t, `${url}/foo`)), "this is foo");
  assert.equal(await text(client(t, `${url}/bar`)), "this is bar");
  const other = client(t, `${url}/other`);
  await once(other, "error");
});

test("authentication.mjs lets in those who are known", async (t) => {
  const { url, line } = await serve(t, "authentication.mjs");
  const stranger = client(t, url);
  const [error] = await once(stranger, "error");
  assert.match(error.message, /401/);
  const socket = client(t, url, { headers: { authorization: "Bearer open sesame" } });
  await once(socket, "open");
  socket.send("hello");
  assert.equal(await text(socket), "welcome, Ali Baba");
  assert.equal(await line(), "Ali Baba says: hello");
});

test("broadcast.mjs tells all, or all but one", async (t) => {
  const { url } = await serve(t, "broadcast.mjs");
  const [one, two] = [client(t, url), client(t, `${url}/others`)];
  await Promise.all([once(one, "open"), once(two, "open")]);
  let all = Promise.all([text(one), text(two)]);
  one.send("to all");
  assert.deepEqual(await all, ["to all", "to all"]);
  all = text(one);
  two.on("message", () => assert.fail("expected nothing of its own"));
  two.send("to the other");
  assert.equal(await all, "to the other");
});

test("broken-connections.mjs drops a client that is gone", async (t) => {
  const { url, port, line } = await serve(t, "broken-connections.mjs", { INTERVAL: "50" });
  const alive = client(t, url);
  await once(alive, "open");
  const dead = connect(port, "127.0.0.1");
  t.after(() => dead.destroy());
  dead.write(
    "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  assert.equal(await line(), "gone: 1006");
  assert.equal(alive.readyState, Client.OPEN);
});

test("client-address.mjs tells where a client comes from", async (t) => {
  const { url } = await serve(t, "client-address.mjs");
  assert.equal(await text(client(t, url)), "127.0.0.1");
  const headers = { "x-forwarded-for": "192.0.2.1, 10.0.0.1" };
  assert.equal(await text(client(t, url, { headers })), "192.0.2.1");
});

test("stream.mjs answers in capitals", async (t) => {
  const { url } = await serve(t, "stream.mjs");
  const socket = client(t, url);
  await once(socket, "open");
  socket.send("hello");
  assert.equal(await text(socket), "HELLO");
});

test("client.mjs sends text and bytes, and gets them back", async (t) => {
  const { url } = await echoServer(t);
  const { line, child } = run(t, "client.mjs", { URL: url });
  assert.equal(await line(), "received: something");
  assert.equal(await line(), "received: 0 0.5 1 1.5 2");
  assert.deepEqual(await once(child, "exit"), [0, null]);
});

test("client-stream.mjs sends what is typed", async (t) => {
  const { url } = await echoServer(t);
  const { line, child } = run(t, "client-stream.mjs", { URL: url });
  child.stdin.write("hello\n");
  assert.equal(await line(), "hello");
  child.stdin.end();
  assert.deepEqual(await once(child, "exit"), [0, null]);
});

test("round-trip-time.mjs measures, and disconnects", async (t) => {
  const { url } = await echoServer(t);
  const { line } = run(t, "round-trip-time.mjs", { URL: url, ROUNDS: "2" });
  for (let i = 0; i < 2; i++) assert.match(await line(), /^round-trip time: \d+\.?\d* ms$/);
  assert.equal(await line(), "disconnected");
});

test("proxy.mjs goes through the proxy", async (t) => {
  const { url } = await echoServer(t);
  const tunnels = [];
  const proxy = createServer();
  proxy.on("connect", (request, near, head) => {
    tunnels.push(request.url);
    const [host, port] = request.url.split(":");
    const far = connect(port, host, () => {
      near.write("HTTP/1.1 200 OK\r\n\r\n");
      if (head.length > 0) far.write(head);
      near.pipe(far).pipe(near);
    });
    far.on("error", () => near.destroy());
    near.on("error", () => far.destroy());
  });
  t.after(() => proxy.close());
  await once(proxy.listen(0, "127.0.0.1"), "listening");
  const PROXY = `http://127.0.0.1:${proxy.address().port}`;
  const { line } = run(t, "proxy.mjs", { URL: url, PROXY });
  assert.equal(await line(), "received: through the proxy");
  assert.deepEqual(tunnels, [new URL(url).host]);
});

test("no example is left out", () => {
  const examples = readdirSync(FOLDER).filter((name) => name.endsWith(".mjs"));
  assert.deepEqual(examples.sort(), [...tested].sort());
});
