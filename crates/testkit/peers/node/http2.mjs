// WebSockets over HTTP/2 by Node's own implementation of it. The server has the
// frames of the npm package `ws`, the client writes its own.
//
// Usage: node http2.mjs server CHAIN KEY [JSON]    prints {"port": N}
//        node http2.mjs client URL CA [JSON]       exits 0 where all is well
//
// The server echoes at /echo, wants HTTP/1.1 at /http1, gives up the stream at
// /busy, resets it after the first message at /reset, ends it at /end, refuses with 403 at /refuse, and tells at /streams
// how many sockets share the connection. With {"connect": false} it takes
// WebSockets over HTTP/1.1 alone. It ends with its stdin.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import http2 from "node:http2";
import { WebSocket, WebSocketServer } from "ws";

const [role, first, second, parameters = "{}"] = process.argv.slice(2);
const given = JSON.parse(parameters);

/** A server's socket of `ws` over a stream, which is to it what TCP is. */
function over(stream) {
  const socket = new WebSocket(null, undefined, { isServer: true });
  socket._isServer = true;
  stream.setNoDelay = () => {};
  stream.setTimeout = () => {};
  socket.setSocket(stream, Buffer.alloc(0), { maxPayload: 1 << 26, allowSynchronousEvents: true });
  return socket;
}

/** A frame with FIN, masked with a key of zeros. */
function frame(opcode, payload) {
  const length = Buffer.alloc(9);
  length[0] = 0x80 | 127;
  length.writeBigUInt64BE(BigInt(payload.length), 1);
  const short = Buffer.from([0x80 | payload.length]);
  const key = Buffer.alloc(4);
  const size = payload.length < 126 ? short : length;
  return Buffer.concat([Buffer.from([0x80 | opcode]), size, key, payload]);
}

/** The frames that arrive on a stream: [opcode, payload]. */
async function* frames(stream) {
  let bytes = Buffer.alloc(0);
  for await (const chunk of stream) {
    bytes = Buffer.concat([bytes, chunk]);
    for (;;) {
      let length = bytes.length < 2 ? Infinity : bytes[1];
      let start = 2;
      if (length === 126) [length, start] = bytes.length < 4 ? [Infinity, 4] : [bytes.readUInt16BE(2), 4];
      if (length === 127) {
        [length, start] = bytes.length < 10 ? [Infinity, 10] : [Number(bytes.readBigUInt64BE(2)), 10];
      }
      if (bytes.length < start + length) break;
      yield [bytes[0] & 0x0f, bytes.subarray(start, start + length)];
      bytes = bytes.subarray(start + length);
    }
  }
}

function serve() {
  const server = http2.createSecureServer({
    cert: readFileSync(first),
    key: readFileSync(second),
    allowHTTP1: true,
    settings: { enableConnectProtocol: given.connect ?? true },
  });
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    if (headers[":method"] !== "CONNECT" || headers[":protocol"] !== "websocket") {
      return stream.respond({ ":status": 400 }, { endStream: true });
    }
    const path = headers[":path"];
    if (path === "/http1") return stream.close(http2.constants.NGHTTP2_HTTP_1_1_REQUIRED);
    if (path === "/busy") return stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
    if (path === "/refuse") {
      stream.respond({ ":status": 403, "content-type": "text/plain", "x-why": "because" });
      return stream.end("not for you\n");
    }
    const subprotocol = headers["sec-websocket-protocol"]?.split(",")[0].trim();
    stream.respond({
      ":status": 200,
      ...(subprotocol ? { "sec-websocket-protocol": subprotocol } : {}),
    });
    const session = stream.session;
    session.sockets = (session.sockets ?? 0) + 1;
    stream.on("close", () => session.sockets--);
    const socket = over(stream);
    socket.on("error", () => {});
    socket.on("message", (data, binary) => {
      if (path === "/reset") return stream.close(http2.constants.NGHTTP2_CANCEL);
      if (path === "/end") return stream.end();
      if (path === "/streams") return socket.send(String(session.sockets));
      socket.send(data, { binary });
    });
  });
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  server.on("upgrade", (request, stream, head) => {
    sockets.handleUpgrade(request, stream, head, (socket) => {
      socket.on("message", (data, binary) => socket.send(data, { binary }));
    });
  });
  server.listen(0, "127.0.0.1", () => {
    console.log(JSON.stringify({ port: server.address().port }));
  });
  process.stdin.resume().on("end", () => process.exit(0));
}

async function open(session, path, headers = {}) {
  const stream = session.request(
    {
      ":method": "CONNECT",
      ":protocol": "websocket",
      ":scheme": "https",
      ":path": path,
      "sec-websocket-version": "13",
      ...headers,
    },
    { endStream: false },
  );
  stream.on("error", () => {});
  const [answer] = await once(stream, "response");
  return { stream, answer };
}

async function play() {
  const url = new URL(first);
  const session = http2.connect(url, { ca: readFileSync(second) });
  if (!session.remoteSettings?.enableConnectProtocol) await once(session, "remoteSettings");
  assert.equal(session.remoteSettings.enableConnectProtocol, true);

  // Two sockets at once, each with its own messages.
  const opened = await Promise.all([open(session, "/echo"), open(session, "/echo")]);
  for (const { stream, answer } of opened) {
    assert.equal(answer[":status"], 200);
    const arriving = frames(stream);
    for (const size of [0, 5, 70_000, 1 << 20]) {
      const data = Buffer.alloc(size, "abc");
      stream.write(frame(2, data));
      const { value } = await arriving.next();
      assert.ok(value[0] === 2 && value[1].equals(data), `${size} bytes`);
    }
    stream.write(frame(8, Buffer.from([0x0f, 0xa0])));
    const { value } = await arriving.next();
    assert.deepEqual(value, [8, Buffer.from([0x0f, 0xa0])]);
    // The server ends its side first.
    assert.ok((await arriving.next()).done);
    stream.end();
  }
  // A page is beside them.
  const page = session.request({ ":path": "/page" });
  const [answer] = await once(page, "response");
  assert.equal(answer[":status"], 200);
  page.close();
  // What the handshake refuses.
  for (const [path, headers, status] of [
    ["/echo", { origin: "https://evil.example" }, 403],
    ["/echo", { "sec-websocket-version": "8" }, 400],
    ["/echo", { ":protocol": "connect-udp" }, 501],
    ["/nowhere", {}, 404],
  ]) {
    const { stream, answer } = await open(session, path, headers);
    assert.equal(answer[":status"], status, `${path} ${JSON.stringify(headers)}`);
    stream.close();
  }
  session.close();
}

if (role === "server") {
  serve();
} else {
  try {
    await play();
  } catch (error) {
    console.error(error.stack ?? error);
    process.exit(1);
  }
  process.exit(0);
}
