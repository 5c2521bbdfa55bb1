// The sockets of a WebSocketServer.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:https";
import { connect } from "node:net";
import { Duplex } from "node:stream";
import { describe, test } from "node:test";
import { pipeline } from "node:stream/promises";
import { createServer as createHttpServer } from "node:http";
import { createWebSocketStream, ServerSocket, WebSocketServer } from "longwire";
import { WebSocket as Client } from "ws";
import { certificate } from "./certificate.mjs";

/** A socket of ours and the client at its other end. */
async function pair(t, options = {}, clientOptions = {}) {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", ...options });
  await once(server, "listening");
  return join(t, server, `ws://127.0.0.1:${server.address().port}`, clientOptions);
}

/** As `pair`, over TLS that Node speaks: through its streams. */
async function securePair(t, options = {}) {
  const https = createServer(certificate());
  const server = new WebSocketServer({ server: https, ...options });
  t.after(() => https.close());
  await once(https.listen(0, "127.0.0.1"), "listening");
  return join(t, server, `wss://127.0.0.1:${https.address().port}`, { rejectUnauthorized: false });
}

async function join(t, server, url, clientOptions) {
  const client = new Client(url, { perMessageDeflate: false, ...clientOptions });
  t.after(() => {
    client.terminate();
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  const [[socket]] = await Promise.all([once(server, "connection"), once(client, "open")]);
  return { server, client, socket };
}

/** A client that speaks in bytes, and our end of the connection. */
async function rawPair(t, options = {}) {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", ...options });
  await once(server, "listening");
  const stream = connect(server.address().port, "127.0.0.1");
  t.after(() => {
    stream.destroy();
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  stream.write(
    "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  const [[socket], [head]] = await Promise.all([once(server, "connection"), once(stream, "data")]);
  assert.match(String(head), /^HTTP\/1\.1 101/);
  return { server, socket, stream };
}

const called = (run) => new Promise((resolve) => run((error) => resolve(error)));

for (const [how, open] of [["over TCP", pair], ["over TLS", securePair]]) {
  describe(`messages ${how}`, () => {
    test("are Buffers, told apart by isBinary, in order and whole", async (t) => {
      const { client, socket } = await open(t);
      const got = [];
      const all = new Promise((resolve) => {
        socket.on("message", (data, isBinary) => {
          assert.ok(Buffer.isBuffer(data));
          got.push([data, isBinary]);
          if (got.length === 7) resolve();
        });
      });
      const sent = ["", "text", Buffer.from([1, 2]), Buffer.alloc(20_000, 1), "é".repeat(40_000), Buffer.alloc(3 << 20, 5), "end"];
      for (const data of sent) client.send(data);
      await all;
      for (const [i, data] of sent.entries()) {
        assert.equal(got[i][1], typeof data !== "string");
        assert.ok(got[i][0].equals(Buffer.from(data)), `message ${i}`);
      }
    });

    test("of each kind of data arrive as they were", async (t) => {
      const { client, socket } = await open(t);
      const bytes = Uint8Array.from([1, 2, 3, 4]);
      const cases = [
        ["text", undefined, "text", false],
        [12.5, undefined, "12.5", false],
        [bytes, undefined, bytes, true],
        [bytes.buffer, undefined, bytes, true],
        [bytes.subarray(1, 3), undefined, bytes.subarray(1, 3), true],
        [new DataView(bytes.buffer, 2), undefined, bytes.subarray(2), true],
        [[1, 2, 3, 4], undefined, bytes, true],
        [new Blob(["blob"]), undefined, "blob", true],
        [Buffer.from("utf-8"), { binary: false }, "utf-8", false],
        ["bytes", { binary: true }, "bytes", true],
        [Buffer.alloc(4 << 20, 9), undefined, Buffer.alloc(4 << 20, 9), true],
      ];
      for (const [data, options, expected, binary] of cases) {
        const arrives = once(client, "message");
        if (options) socket.send(data, options);
        else socket.send(data);
        const [got, isBinary] = await arrives;
        assert.ok(got.equals(Buffer.from(expected)), String(expected).slice(0, 20));
        assert.equal(isBinary, binary);
      }
    });

    test("keep their order behind a blob, and before a close", async (t) => {
      const { client, socket } = await open(t);
      const got = [];
      client.on("message", (data) => got.push(String(data)));
      socket.send("first");
      socket.send(new Blob(["second"]));
      socket.send("third");
      socket.close(1000);
      await once(client, "close");
      assert.deepEqual(got, ["first", "second", "third"]);
    });

    test("in fragments of the program's own are one", async (t) => {
      const { client, socket } = await open(t);
      const arrives = once(client, "message");
      socket.send("one ", { fin: false });
      socket.send("message ", { fin: false });
      socket.send("in three", { fin: true });
      const [data, isBinary] = await arrives;
      assert.equal(String(data), "one message in three");
      assert.equal(isBinary, false);
      socket.send("another");
      assert.equal(String((await once(client, "message"))[0]), "another");
    });

    test("call back once they are sent, and count as buffered until then", async (t) => {
      const { client, socket } = await open(t);
      assert.equal(socket.bufferedAmount, 0);
      client.pause();
      const order = [];
      const size = 64 << 10;
      const count = 512;
      const sent = Array.from({ length: count }, (_, i) =>
        called((done) => {
          socket.send(Buffer.alloc(size), (error) => {
            order.push(i);
            done(error);
          });
        }),
      );
      assert.ok(socket.bufferedAmount > 16 << 20, "the kernel takes some at once");
      let early = false;
      sent[count - 1].then(() => (early = client.isPaused));
      assert.equal(await sent[0].then(() => "sent"), "sent");
      assert.ok(socket.bufferedAmount > 8 << 20, "the client takes nothing");
      client.resume();
      assert.deepEqual(await Promise.all(sent), Array(count).fill(undefined));
      assert.deepEqual(order, Array.from(order.keys()));
      assert.equal(early, false);
      assert.equal(socket.bufferedAmount, 0);
    });

    test("are not read while the socket is paused: the client is slowed down", async (t) => {
      const { client, socket } = await open(t);
      socket.pause();
      assert.equal(socket.isPaused, true);
      let count = 0;
      socket.on("message", () => count++);
      const piece = Buffer.alloc(1 << 20);
      for (let i = 0; i < 64; i++) client.send(piece);
      // Until the client gets no more out.
      for (let before = -1; before !== client.bufferedAmount; ) {
        before = client.bufferedAmount;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      assert.ok(client.bufferedAmount > 32 << 20, `${client.bufferedAmount} wait`);
      assert.equal(count, 0);
      socket.resume();
      const done = once(socket, "ping");
      client.ping();
      await done;
      assert.equal(count, 64);
    });

    test("a ping is answered, and a pong is told of", async (t) => {
      const { client, socket } = await open(t);
      const ponged = once(socket, "pong");
      assert.equal(await called((done) => socket.ping("are you there", done)), undefined);
      assert.equal(String((await ponged)[0]), "are you there");
      const pinged = once(socket, "ping");
      const answered = once(client, "pong");
      client.ping("you");
      assert.equal(String((await pinged)[0]), "you");
      assert.equal(String((await answered)[0]), "you");
      const unasked = once(client, "pong");
      socket.pong(Buffer.from("beat"));
      assert.equal(String((await unasked)[0]), "beat");
      assert.throws(() => socket.ping("x".repeat(126)), RangeError);
    });

    test("every way of closing is told with its code and reason", async (t) => {
      for (const [code, reason, told] of [
        [undefined, undefined, 1005],
        [1000, "", 1000],
        [1001, "é", 1001],
        [3000, "x".repeat(123), 3000],
        [4999, "bye", 4999],
      ]) {
        for (const ours of [true, false]) {
          const { client, socket } = await open(t);
          const both = Promise.all([once(client, "close"), once(socket, "close")]);
          (ours ? socket : client).close(code, reason);
          if (ours) assert.equal(socket.readyState, ServerSocket.CLOSING);
          const [[there, thereReason], [here, hereReason]] = await both;
          assert.deepEqual([here, there], [told, told]);
          assert.deepEqual([String(hereReason), String(thereReason)], [reason ?? "", reason ?? ""]);
          assert.equal(socket.readyState, ServerSocket.CLOSED);
        }
      }
    });

    test("terminate drops the connection at once", async (t) => {
      const { client, socket } = await open(t);
      const both = Promise.all([once(client, "close"), once(socket, "close")]);
      socket.terminate();
      const [[there], [here]] = await both;
      assert.deepEqual([here, there], [1006, 1006]);
    });

    test("a client that is cut off ends with 1006, and no error", async (t) => {
      const { client, socket } = await open(t);
      socket.on("error", (error) => assert.fail(error));
      const closed = once(socket, "close");
      client.terminate();
      assert.equal((await closed)[0], 1006);
    });

    test("a message that a client does not take calls back with an error at the end", async (t) => {
      const { client, socket } = await open(t);
      client.pause();
      const sent = called((done) => socket.send(Buffer.alloc(64 << 20), done));
      const closed = once(socket, "close");
      setImmediate(() => socket.terminate());
      assert.match((await sent).message, /CLOSED/);
      await closed;
      assert.match((await called((done) => socket.send("late", done))).message, /CLOSED/);
      assert.match((await called((done) => socket.ping("late", done))).message, /CLOSED/);
      assert.equal(socket.bufferedAmount, 4);
      client.resume();
    });
  });
}

describe("a socket of a server", () => {
  test("has the states as constants, on itself and its class", async (t) => {
    const { socket } = await pair(t);
    for (const [name, value] of Object.entries({ CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 })) {
      assert.equal(socket[name], value);
      assert.equal(ServerSocket[name], value);
    }
    assert.equal(socket.url, "");
    assert.equal(ServerSocket.name, "WebSocket");
  });

  test("hands out binary messages as it is told to", async (t) => {
    const { client, socket } = await pair(t);
    for (const size of [3, 40_000]) {
      const bytes = Buffer.alloc(size, 7);
      const next = async (type) => {
        socket.binaryType = type;
        const arrives = once(socket, "message");
        client.send(bytes);
        return (await arrives)[0];
      };
      assert.ok((await next("nodebuffer")).equals(bytes));
      const buffer = await next("arraybuffer");
      assert.ok(buffer instanceof ArrayBuffer);
      assert.ok(Buffer.from(buffer).equals(bytes));
      assert.ok(Buffer.concat(await next("fragments")).equals(bytes));
      const blob = await next("blob");
      assert.ok(Buffer.from(await blob.arrayBuffer()).equals(bytes));
    }
  });

  test("has a browser's listeners too", async (t) => {
    const { client, socket } = await pair(t);
    const events = [];
    const listener = (event) => events.push([event.type, event.target === socket, event.data]);
    socket.addEventListener("message", listener);
    socket.addEventListener("message", listener);
    socket.addEventListener("message", { handleEvent: (event) => events.push(["object", event.data]) }, { once: true });
    socket.onmessage = (event) => events.push(["attribute", event.data]);
    client.send("text");
    await once(socket, "message");
    assert.deepEqual(events.splice(0), [["message", true, "text"], ["object", "text"], ["attribute", "text"]]);
    socket.removeEventListener("message", listener);
    socket.onmessage = null;
    assert.equal(socket.onmessage, null);
    client.send(Buffer.from("x"));
    await once(socket, "message");
    assert.deepEqual(events, []);
    socket.onclose = (event) => events.push([event.code, event.reason, event.wasClean]);
    client.close(3001, "why");
    await once(socket, "close");
    assert.deepEqual(events, [[3001, "why", true]]);
  });

  test("refuses codes and reasons that no Close frame has", async (t) => {
    const { socket } = await pair(t);
    for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 1000.5, "1000", NaN]) {
      assert.throws(() => socket.close(code), TypeError, String(code));
    }
    assert.throws(() => socket.close(1000, "x".repeat(124)), RangeError);
    assert.throws(() => socket.close(1000, "é".repeat(62)), RangeError);
    assert.equal(socket.readyState, ServerSocket.OPEN);
  });

  test("text that is not UTF-8 is not sent", async (t) => {
    const { socket } = await pair(t);
    const error = await called((done) => socket.send(Buffer.from([0xff]), { binary: false }, done));
    assert.ok(error instanceof TypeError);
    const failed = once(socket, "error");
    socket.send(Buffer.from([0xff]), { binary: false });
    assert.ok((await failed)[0] instanceof TypeError);
    assert.equal(socket.readyState, ServerSocket.OPEN);
  });

  test("an ended socket that broke the protocol says by which rule", async (t) => {
    const cases = [
      ["WS_ERR_UNEXPECTED_RSV_2_3", 1002, [0xa1, 0x80, 0, 0, 0, 0]],
      ["WS_ERR_UNEXPECTED_RSV_1", 1002, [0xc1, 0x80, 0, 0, 0, 0]],
      ["WS_ERR_INVALID_OPCODE", 1002, [0x83, 0x80, 0, 0, 0, 0]],
      ["WS_ERR_INVALID_OPCODE", 1002, [0x80, 0x80, 0, 0, 0, 0]],
      ["WS_ERR_EXPECTED_MASK", 1002, [0x81, 0x00]],
      ["WS_ERR_EXPECTED_FIN", 1002, [0x09, 0x80, 0, 0, 0, 0]],
      ["WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH", 1002, [0x89, 0xfe, 0, 126, 0, 0, 0, 0]],
      ["WS_ERR_INVALID_UTF8", 1007, [0x81, 0x81, 0, 0, 0, 0, 0xff]],
      ["WS_ERR_INVALID_CLOSE_CODE", 1002, [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xed]],
      ["WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH", 1002, [0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
      ["WS_ERR_UNSUPPORTED_MESSAGE_LENGTH", 1009, [0x82, 0xfe, 0x04, 0x01, 0, 0, 0, 0]],
    ];
    for (const [rule, code, bytes] of cases) {
      const { socket, stream } = await rawPair(t, { maxPayload: 1024 });
      const answer = once(stream, "data");
      const failed = once(socket, "error");
      const closed = new Promise((resolve) => socket.once("close", resolve));
      stream.write(Buffer.from(bytes));
      const [error] = await failed;
      assert.equal(error.code, rule);
      assert.equal(error.closeCode, code, rule);
      const [frame] = await answer;
      assert.equal(frame.readUInt16BE(2), code, rule);
      stream.end();
      assert.equal(await closed, 1006, rule);
    }
  });

  test("a listener that throws takes nothing from those after it", async (t) => {
    const { client, socket } = await pair(t);
    const thrown = [];
    const onThrown = (error) => thrown.push(error.message);
    // The test runner has a listener of its own, which would fail this test.
    const before = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", onThrown);
    t.after(() => {
      process.off("uncaughtException", onThrown);
      for (const listener of before) process.on("uncaughtException", listener);
    });
    const got = [];
    const last = new Promise((resolve) => {
      socket.on("message", (data) => {
        got.push(String(data));
        if (got.length === 5) resolve();
        if (got.length % 2 === 0) throw new Error(`at ${data}`);
      });
    });
    for (let i = 1; i <= 5; i++) client.send(String(i));
    await last;
    assert.deepEqual(got, ["1", "2", "3", "4", "5"]);
    assert.deepEqual(thrown, ["at 2", "at 4"]);
  });

  test("a client that takes nothing of more than is allowed is dropped", async (t) => {
    const { client, socket } = await pair(t, { maxBufferedAmount: 1 << 20 });
    client.pause();
    const failed = once(socket, "error");
    const closed = new Promise((resolve) => socket.once("close", resolve));
    // One message is always taken where nothing waits.
    for (let i = 0; i < 64 && socket.readyState === ServerSocket.OPEN; i++) {
      socket.send(Buffer.alloc(1 << 20));
    }
    assert.match((await failed)[0].message, /dropped/);
    await closed;
    client.resume();
  });

  test("a dead client is noticed by the heartbeat", async (t) => {
    const { socket } = await rawPair(t, { heartbeat: { interval: 20, timeout: 20 } });
    const [code] = await once(socket, "close");
    assert.equal(code, 1006);
    // And not without.
    const quiet = await rawPair(t, { heartbeat: false });
    quiet.stream.write(Buffer.from([0x89, 0x80, 0, 0, 0, 0]));
    const [frame] = await once(quiet.stream, "data");
    assert.deepEqual(frame, Buffer.from([0x8a, 0]));
  });

  test("a client that does not answer a Close frame is waited for so long", async (t) => {
    const { socket } = await rawPair(t, { closeTimeout: 20 });
    const closed = once(socket, "close");
    socket.close(1000);
    assert.equal((await closed)[0], 1006);
  });

  test("compression is used where it is asked for", async (t) => {
    const text = "all work and no play ".repeat(1000);
    for (const [perMessageDeflate, extensions] of [
      [false, ""],
      [true, "permessage-deflate"],
      [{ serverNoContextTakeover: true }, "permessage-deflate"],
      [{ serverMaxWindowBits: 10, threshold: 0, zlibDeflateOptions: { level: 9, memLevel: 9 } }, "permessage-deflate"],
    ]) {
      const { client, socket } = await pair(t, { perMessageDeflate }, { perMessageDeflate: true });
      assert.equal(socket.extensions, extensions);
      const read = client._socket.bytesRead;
      socket.send(text);
      const [data] = await once(client, "message");
      assert.equal(String(data), text);
      const size = client._socket.bytesRead - read;
      assert.ok(perMessageDeflate ? size < 1000 : size > text.length, `${size} bytes`);
      const echoed = once(socket, "message");
      client.send(text);
      assert.equal(String((await echoed)[0]), text);
    }
  });

  test("one whose stream is not the system's goes through the stream", async (t) => {
    const server = new WebSocketServer({ noServer: true });
    const http = createHttpServer();
    t.after(() => {
      server.close();
      http.close();
    });
    http.on("upgrade", (request, stream, head) => {
      const wrapped = new Duplex({
        read() {},
        write(chunk, _, done) {
          stream.write(chunk, done);
        },
        final(done) {
          stream.end(done);
        },
        destroy(error, done) {
          stream.destroy();
          done(error);
        },
      });
      stream.on("data", (chunk) => wrapped.push(chunk));
      stream.on("end", () => wrapped.push(null));
      server.handleUpgrade(request, wrapped, head, (socket) => {
        socket.on("message", (data, binary) => socket.send(data, { binary }));
      });
    });
    await once(http.listen(0, "127.0.0.1"), "listening");
    const client = new Client(`ws://127.0.0.1:${http.address().port}`);
    await once(client, "open");
    const big = Buffer.alloc(2 << 20, 3);
    client.send(big);
    const [data] = await once(client, "message");
    assert.ok(data.equals(big));
    client.close(3000, "done");
    const [code, reason] = await once(client, "close");
    assert.deepEqual([code, String(reason)], [3000, "done"]);
  });
});

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

describe("createWebSocketStream", () => {
  test("pipes both ways with backpressure, and ends", async (t) => {
    const { client, socket } = await pair(t);
    const stream = createWebSocketStream(socket);
    const echoing = pipeline(stream, stream).catch(() => {});
    let received = 0;
    const done = new Promise((resolve) => {
      client.on("message", (data) => {
        received += data.length;
        if (received === 32 << 20) resolve();
      });
    });
    for (let i = 0; i < 32; i++) client.send(Buffer.alloc(1 << 20, i));
    await done;
    client.close();
    await once(client, "close");
    await echoing;
  });

  test("text is text in object mode", async (t) => {
    const { client, socket } = await pair(t);
    const stream = createWebSocketStream(socket, { readableObjectMode: true });
    client.send("one");
    client.send(Buffer.from("two"));
    client.close();
    const got = [];
    for await (const chunk of stream) got.push(chunk);
    assert.deepEqual(got, ["one", Buffer.from("two")]);
  });

  test("destroying it drops the connection", async (t) => {
    const { client, socket } = await pair(t);
    const stream = createWebSocketStream(socket);
    stream.on("error", () => {});
    const closed = once(client, "close");
    stream.destroy(new Error("enough"));
    assert.equal((await closed)[0], 1006);
  });
});
