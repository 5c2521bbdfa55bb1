// A socket of a WebSocketServer, and the client at its other end.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:https";
import { connect } from "node:net";
import { WebSocketServer } from "longwire";
import { WebSocket as Client } from "ws";
import { certificate } from "./certificate.mjs";

/** A socket of ours and the client at its other end. */
export async function pair(t, options = {}, clientOptions = {}) {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", ...options });
  await once(server, "listening");
  return join(t, server, `ws://127.0.0.1:${server.address().port}`, clientOptions);
}

/** As `pair`, over TLS that Node speaks: through its streams. */
export async function securePair(t, options = {}) {
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
export async function rawPair(t, options = {}) {
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

/** What a callback is called with. */
export const called = (run) => new Promise((resolve) => run((error) => resolve(error)));
