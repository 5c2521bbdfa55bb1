// A client of the npm package `ws`: runs a scenario against a URL.
// Usage: node client.mjs URL SCENARIO [JSON]. Exits 0 where all is as it
// should be, and says what is not otherwise.

import assert from "node:assert/strict";
import { once } from "node:events";
import { WebSocket } from "ws";

const [url, scenario, parameters = "{}"] = process.argv.slice(2);
const given = JSON.parse(parameters);
const options = { perMessageDeflate: false, maxPayload: 32 * 1024 * 1024 };

async function open(path = "/echo", subprotocols = [], more = {}) {
  const socket = new WebSocket(url + path, subprotocols, { ...options, ...more });
  // Messages and the end are queued from the start, so that none is missed.
  socket.messages = [];
  socket.waiting = [];
  socket.on("message", (data, binary) => {
    const message = { data, binary };
    const waiting = socket.waiting.shift();
    if (waiting) waiting(message);
    else socket.messages.push(message);
  });
  socket.ended = once(socket, "close").then(([code, reason]) => ({
    code,
    reason: reason.toString(),
  }));
  await once(socket, "open");
  return socket;
}

function next(socket) {
  const message = socket.messages.shift();
  return message ?? new Promise((resolve) => socket.waiting.push(resolve));
}

async function end(socket, code = 1000, reason = "") {
  socket.close(code, reason);
  return socket.ended;
}

const scenarios = {
  async echo() {
    const socket = await open();
    for (const size of [0, 1, 125, 126, 65535, 65536, 16 * 1024 * 1024]) {
      for (const binary of [false, true]) {
        const data = Buffer.alloc(size, binary ? 0xfe : 0x78);
        socket.send(data, { binary });
        const echo = await next(socket);
        assert.equal(echo.binary, binary);
        assert.ok(echo.data.equals(data), `${size} bytes came back changed`);
      }
    }
    assert.deepEqual(await end(socket), { code: 1000, reason: "" });
  },

  async fragments() {
    const socket = await open();
    const pongs = [];
    socket.on("pong", (data) => pongs.push(data.toString()));
    for (const binary of [false, true]) {
      socket.send("Hel", { binary, fin: false });
      socket.ping("between");
      socket.send("", { binary, fin: false });
      socket.send("lo, wör", { binary, fin: false });
      socket.ping("again");
      socket.send("ld", { binary, fin: true });
      const echo = await next(socket);
      assert.deepEqual([echo.data.toString(), echo.binary], ["Hello, wörld", binary]);
    }
    assert.deepEqual(pongs, ["between", "again", "between", "again"]);
    await end(socket);
  },

  async ping() {
    const socket = await open();
    const payloads = ["", "one", "x".repeat(125)];
    const pongs = [];
    const all = new Promise((resolve) =>
      socket.on("pong", (data) => {
        pongs.push(data.toString());
        if (pongs.length === payloads.length) resolve();
      }),
    );
    for (const payload of payloads) socket.ping(payload);
    await all;
    assert.deepEqual(pongs, payloads);
    await end(socket);
  },

  async close() {
    const codes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
    for (const code of [...codes, 3000, 3999, 4000, 4999]) {
      for (const reason of ["", "because of thät"]) {
        const socket = await open();
        assert.deepEqual(await end(socket, code, reason), { code, reason });
      }
    }
    const socket = await open();
    socket.close();
    assert.deepEqual(await socket.ended, { code: 1005, reason: "" });
  },

  async closed() {
    const socket = await open(given.path);
    assert.deepEqual(await socket.ended, { code: given.code, reason: given.reason });
  },

  async subprotocol() {
    const socket = await open(given.path, given.offered);
    assert.equal(socket.protocol, given.expected);
    await end(socket);
  },

  async refused() {
    const socket = new WebSocket(url + given.path, [], { ...options, origin: given.origin });
    const [, response] = await once(socket, "unexpected-response");
    assert.equal(response.statusCode, given.status);
    response.destroy();
  },
};

await scenarios[scenario]();
process.exit(0);
