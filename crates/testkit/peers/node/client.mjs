// A client of the npm package `ws`: runs a scenario against a server.
//
// Usage: node client.mjs URL SCENARIO [JSON]
//
// URL has no path: that is in the parameters, and /echo by default. Prints a
// line of JSON for each step. Exits 0 where all is as it should be, and says
// what is not otherwise.

import assert from "node:assert/strict";
import { once } from "node:events";
import { WebSocket } from "ws";
import { exchange, optionSets } from "./mixed.mjs";

const [url, scenario, parameters = "{}"] = process.argv.slice(2);
const given = { path: "/echo", ...JSON.parse(parameters) };
const options = { perMessageDeflate: false, maxPayload: 32 * 1024 * 1024 };

const SIZES = [0, 1, 125, 126, 65_535, 65_536, 16 * 1024 * 1024];
const CODES = [
  1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
];
const REASONS = ["", "because of thät", "r".repeat(123)];

function step(result) {
  console.log(JSON.stringify(result));
}

/** A socket whose messages, pings, pongs and end are kept from the start. */
class Client {
  messages = [];
  pings = [];
  pongs = [];
  #arrived = () => {};

  constructor(path, subprotocols, more) {
    this.socket = new WebSocket(url + path, subprotocols, { ...options, ...more });
    this.socket.on("message", (data, binary) => {
      this.messages.push({ data, binary });
      this.#arrived();
    });
    this.socket.on("ping", (data) => this.pings.push(data.toString()));
    this.socket.on("pong", (data) => {
      this.pongs.push(data.toString());
      this.#arrived();
    });
    this.socket.addEventListener("close", ({ code, reason, wasClean }) => {
      this.ended = { code, reason, clean: wasClean };
      this.#arrived();
    });
  }

  static async open({ path = given.path, subprotocols = [], ...more } = {}) {
    const client = new Client(path, subprotocols, more);
    await once(client.socket, "open");
    return client;
  }

  /** Waits until this holds, or the connection has ended. */
  async until(holds) {
    while (!holds() && !this.ended) {
      await new Promise((resolve) => (this.#arrived = resolve));
    }
  }

  async next() {
    await this.until(() => this.messages.length > 0);
    const message = this.messages.shift();
    assert.ok(message, `expected a message, got the end ${JSON.stringify(this.ended)}`);
    return message;
  }

  async end() {
    await this.until(() => false);
    return this.ended;
  }

  async close(...codeAndReason) {
    this.socket.close(...codeAndReason);
    return this.end();
  }
}

/** Bytes in which no part is like another at the same place of a frame. */
function sample(size, binary) {
  if (binary) return Buffer.from(Uint8Array.from({ length: size }, (_, i) => i % 251));
  const unit = "aé€𝄞b";
  const whole = Math.floor(size / Buffer.byteLength(unit)) * Buffer.byteLength(unit);
  return Buffer.concat([Buffer.alloc(whole, unit), Buffer.alloc(size - whole, "x")]);
}

const type = (binary) => (binary ? "binary" : "text");

async function sameComesBack(client, data, binary) {
  const echo = await client.next();
  assert.equal(type(echo.binary), type(binary));
  assert.equal(echo.data.length, data.length, `the length: ${echo.data.length}, not ${data.length}`);
  assert.ok(echo.data.equals(data), `${type(binary)} of ${data.length} bytes came back changed`);
}

async function closeNormally(client) {
  assert.deepEqual(await client.close(1000, "done"), { code: 1000, reason: "done", clean: true });
}

/** Texts and binaries of some sizes come back as they are. */
async function allComeBack(sizes) {
  const client = await Client.open();
  for (const size of sizes) {
    for (const binary of [false, true]) {
      const data = sample(size, binary);
      client.socket.send(data, { binary });
      await sameComesBack(client, data, binary);
      step({ type: type(binary), size });
    }
  }
  await closeNormally(client);
}

const scenarios = {
  /** Texts and binaries of all sizes come back as they are. */
  echo: () => allComeBack(given.sizes ?? SIZES),

  /** What the server sends in fragments arrives whole. */
  fragmented: () => allComeBack(given.sizes ?? [0, 1, 1000, 70_000]),

  /** Messages sent in fragments, with pings between them, come back whole. */
  async fragments() {
    const client = await Client.open();
    const word = Buffer.from("Hello, wörld");
    const cases = [
      [word.subarray(0, 3), word.subarray(3)],
      [Buffer.alloc(0), word.subarray(0, 3), Buffer.alloc(0), word.subarray(3), Buffer.alloc(0)],
      // Parts the two bytes of a character.
      [word.subarray(0, 9), word.subarray(9)],
      [Buffer.alloc(0), Buffer.alloc(0)],
      Array.from({ length: 40 }, () => sample(5000, false)),
    ];
    for (const fragments of cases) {
      for (const binary of [false, true]) {
        client.pongs = [];
        const pings = [];
        fragments.forEach((fragment, i) => {
          if (i > 0) {
            pings.push(`between ${i}`);
            client.socket.ping(pings.at(-1));
          }
          client.socket.send(fragment, { binary, fin: i === fragments.length - 1 });
        });
        await sameComesBack(client, Buffer.concat(fragments), binary);
        assert.deepEqual(client.pongs, pings, "the pongs before the echo");
        step({ type: type(binary), fragments: fragments.length, pongs: pings.length });
      }
    }
    await closeNormally(client);
  },

  /** Pings are answered one by one, in order, with their payloads. */
  async ping() {
    const client = await Client.open();
    const pings = ["", "one", "zwö", "x".repeat(125)];
    for (const ping of pings) client.socket.ping(ping);
    await client.until(() => client.pongs.length === pings.length);
    assert.deepEqual(client.pongs, pings);
    client.pongs.forEach((pong) => step({ pong }));
    await closeNormally(client);
  },

  /** The server pings `count` times, and is content with the pongs. */
  async pinged() {
    const client = await Client.open();
    const { data } = await client.next();
    assert.equal(data.toString(), `pongs: ${given.count}`);
    assert.equal(new Set(client.pings).size, given.count, `distinct pings in ${client.pings}`);
    client.pings.forEach((ping) => step({ ping }));
    await closeNormally(client);
  },

  /** Every code that may be sent comes back with its reason. */
  async close() {
    for (const code of given.codes ?? CODES) {
      for (const reason of REASONS) {
        const client = await Client.open();
        const ended = await client.close(code, reason);
        assert.deepEqual(ended, { code, reason, clean: true });
        step(ended);
      }
    }
    const client = await Client.open();
    const ended = await client.close();
    assert.deepEqual(ended, { code: 1005, reason: "", clean: true });
    step(ended);
  },

  /** The server closes as each of `closes` says. */
  async closed() {
    for (const { path, code, reason } of given.closes) {
      const client = await Client.open({ path });
      const ended = await client.end();
      assert.deepEqual(ended, { code, reason, clean: true });
      step(ended);
    }
  },

  /** The server ends the connection without a Close frame after a message. */
  async vanished() {
    const client = await Client.open();
    client.socket.send("go");
    const ended = await client.end();
    assert.deepEqual(ended, { code: 1006, reason: "", clean: false });
    step(ended);
  },

  /** Of the subprotocols `offered`, `expected` is agreed on, or none if "". */
  async subprotocol() {
    const client = await Client.open({ subprotocols: given.offered });
    assert.equal(client.socket.protocol, given.expected);
    step({ subprotocol: client.socket.protocol });
    await closeNormally(client);
  },

  /** The server reports the path and the headers that were sent. */
  async report() {
    const client = await Client.open({ headers: given.headers });
    const report = JSON.parse((await client.next()).data.toString());
    assert.equal(report.path, given.path);
    for (const [name, value] of Object.entries(given.headers)) {
      assert.equal(report.headers[name], value, name);
    }
    step(report);
    await closeNormally(client);
  },

  /** A thousand mixed messages with every option set, each against the next of
   *  the servers at `ports`; `agreed` says where the server compresses. */
  async mixed() {
    const sets = optionSets();
    const all = given.every ? sets.flatMap((set) => given.ports.map((_, i) => [set, i])) : null;
    const runs = all ?? sets.map((set, i) => [set, i % given.ports.length]);
    for (const [set, at] of runs.filter((_, i) => i % given.of === given.part)) {
      const url = `ws://127.0.0.1:${given.ports[at]}/echo`;
      const socket = new WebSocket(url, { perMessageDeflate: set, maxPayload: 1 << 25 });
      await once(socket, "open");
      const told = JSON.stringify({ set, at, extensions: socket.extensions });
      assert.equal(socket.extensions !== "", set !== false && given.agreed[at], told);
      const received = await exchange(socket, at + 1).catch((error) => {
        throw new Error(`${told}: ${error.message}`);
      });
      assert.equal(received, 1000, told);
      step({ set, at });
      socket.terminate();
    }
  },

  /** The handshake is answered with `status`; sends `origin` where given. */
  async handshake() {
    const client = new Client(given.path, [], { origin: given.origin });
    const refused = once(client.socket, "unexpected-response");
    const opened = once(client.socket, "open").then(() => null);
    const answer = await Promise.race([opened, refused]);
    if (answer === null) {
      assert.equal(101, given.status);
      step({ status: 101 });
      return closeNormally(client);
    }
    const [, response] = answer;
    const body = Buffer.concat(await response.toArray()).toString();
    assert.equal(response.statusCode, given.status);
    step({ status: response.statusCode, headers: response.headers, body });
  },
};

try {
  await scenarios[scenario]();
} catch (error) {
  console.error(`${scenario} ${parameters}: ${error.stack ?? error}`);
  process.exit(1);
}
process.exit(0);
