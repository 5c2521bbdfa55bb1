// The sockets of a WebSocketServer.

import assert from "node:assert/strict";
import { once } from "node:events";
import { Duplex } from "node:stream";
import { describe, test } from "node:test";
import { createServer as createHttpServer } from "node:http";
import { ServerSocket, WebSocketServer } from "longwire";
import { WebSocket as Client } from "ws";
import { called, pair, rawPair, securePair } from "./server-peer.mjs";

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
