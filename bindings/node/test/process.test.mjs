// How sockets and the process that they are in get on with each other.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { WebSocket as Client } from "ws";
import { echoServer } from "./peer.mjs";

const longwire = JSON.stringify(import.meta.resolve("longwire"));

/** Runs a script to its end: how that came, and what it has printed. */
async function run(script) {
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  child.stdout.on("data", (data) => (out += data));
  child.stderr.on("data", (data) => (out += data));
  const [code, signal] = await once(child, "close");
  return { code, signal, out: out.trim() };
}

test("an open socket keeps the process, until it is closed or let go of", async (t) => {
  const { url } = await echoServer(t);
  const head = `import { WebSocket } from ${longwire}; const s = new WebSocket("${url}");`;
  const closed = await run(`${head} s.onopen = () => setTimeout(() => s.close(), 100); s.onclose = () => console.log("closed");`);
  assert.deepEqual(closed, { code: 0, signal: null, out: "closed" });
  const unref = await run(`${head} s.onopen = () => { console.log("open"); s.unref(); };`);
  assert.deepEqual(unref, { code: 0, signal: null, out: "open" });
  const ref = await run(`${head} s.unref().ref(); s.onopen = () => { console.log("open"); s.close(); };`);
  assert.deepEqual(ref, { code: 0, signal: null, out: "open" });
});

test("a process may exit in the middle of anything", async (t) => {
  const { url } = await echoServer(t);
  const head = `import { WebSocket } from ${longwire}; const s = new WebSocket("${url}");`;
  for (const script of [
    `${head} process.exit(7);`,
    `${head} s.onopen = () => process.exit(7);`,
    `${head} s.onopen = () => { s.send(new Uint8Array(32 << 20)); process.exit(7); };`,
    `${head} s.onopen = () => { for (let i = 0; i < 1000; i++) s.send("x"); }; s.onmessage = () => process.exit(7);`,
  ]) {
    assert.deepEqual(await run(script), { code: 7, signal: null, out: "" }, script);
  }
});

test("an error that a handler throws is uncaught, and not swallowed", async (t) => {
  const { url } = await echoServer(t);
  const { code, out } = await run(
    `import { WebSocket } from ${longwire}; new WebSocket("${url}").onopen = () => { throw new Error("mine"); };`,
  );
  assert.equal(code, 1);
  assert.match(out, /Error: mine/);
});

test("workers have sockets, and may be terminated in the middle of a transfer", async (t) => {
  const { url } = await echoServer(t);
  const script = `
    const { parentPort } = require("node:worker_threads");
    import(${longwire}).then(({ WebSocket }) => {
      const socket = new WebSocket("${url}");
      socket.onopen = () => { for (let i = 0; i < 200; i++) socket.send(new Uint8Array(100_000)); };
      let count = 0;
      socket.onmessage = () => { if (++count === 3) parentPort.postMessage("going"); };
    });`;
  for (let i = 0; i < 5; i++) {
    const worker = new Worker(script, { eval: true });
    const [message] = await once(worker, "message");
    assert.equal(message, "going");
    await worker.terminate();
  }
});

test("the connections of a worker end with it", async (t) => {
  const { server, url } = await echoServer(t);
  for (const open of [
    `new WebSocket("${url}").onopen = going;`,
    `new WebSocketStream("${url}").opened.then(going);`,
  ]) {
    const script = `
      const { parentPort } = require("node:worker_threads");
      const going = () => parentPort.postMessage("going");
      import(${longwire}).then(({ WebSocket, WebSocketStream }) => { ${open} });`;
    const ended = new Promise((resolve) => {
      server.once("connection", (socket) => socket.once("close", resolve));
    });
    const worker = new Worker(script, { eval: true });
    await once(worker, "message");
    await worker.terminate();
    await ended;
  }
});

test("what was sent goes out although the process exits in the middle of a turn", async (t) => {
  const { server, url } = await echoServer(t);
  const got = [];
  const ended = new Promise((resolve) => {
    server.once("connection", (socket) => {
      socket.on("message", (data) => got.push(String(data)));
      socket.on("close", resolve);
    });
  });
  await run(
    `import { WebSocket } from ${longwire}; const s = new WebSocket("${url}"); s.onopen = () => { for (const text of "abc") s.send(text); process.exit(); };`,
  );
  await ended;
  assert.deepEqual(got, ["a", "b", "c"]);
});

test("a server's last words go out although its process exits, or drops the connection", async (t) => {
  for (const last of ["process.exit()", "socket.terminate()"]) {
    const script = `
      import { WebSocketServer } from ${longwire};
      const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
      server.on("listening", () => console.log(server.address().port));
      server.on("connection", (socket) => { for (const text of "abc") socket.send(text); ${last}; server.close(); });`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    t.after(() => child.kill());
    const [port] = await once(child.stdout, "data");
    const client = new Client(`ws://127.0.0.1:${Number(port)}`);
    client.on("error", () => {});
    const got = [];
    client.on("message", (data) => got.push(String(data)));
    await new Promise((resolve) => client.on("close", resolve));
    assert.deepEqual(got, ["a", "b", "c"], last);
  }
});

test("the sockets of a worker's server end with it", async (t) => {
  const script = `
    const { parentPort } = require("node:worker_threads");
    import(${longwire}).then(({ WebSocketServer }) => {
      const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
      server.on("listening", () => parentPort.postMessage(server.address().port));
      server.on("connection", (socket) => {
        socket.on("message", (data) => socket.send(data));
        for (let i = 0; i < 100; i++) socket.send(Buffer.alloc(100_000));
      });
    });`;
  const worker = new Worker(script, { eval: true });
  const [port] = await once(worker, "message");
  const client = new Client(`ws://127.0.0.1:${port}`);
  client.on("error", () => {});
  await once(client, "message");
  const closed = new Promise((resolve) => client.on("close", resolve));
  client.send(Buffer.alloc(1_000_000));
  await worker.terminate();
  await closed;
});
