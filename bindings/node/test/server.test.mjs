// WebSocketServer, with clients of the npm package `ws` and of our own.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, get, request as httpRequest } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { WebSocket, WebSocketServer, ServerSocket } from "longwire";
import { WebSocket as Client } from "ws";

/** A server that is stopped with its test. */
async function listen(t, options = {}, handler = () => {}) {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", ...options });
  stopWith(t, server);
  server.on("connection", handler);
  await once(server, "listening");
  return { server, url: `ws://127.0.0.1:${server.address().port}/` };
}

function stopWith(t, server) {
  t.after(() => {
    for (const client of server.clients ?? []) client.terminate();
    server.close();
  });
}

function client(t, url, ...rest) {
  const socket = new Client(url, ...rest);
  t.after(() => {
    socket.on("error", () => {});
    socket.terminate();
  });
  return socket;
}

/** What a client is answered that is refused: status, headers and body. */
async function refusal(t, url, ...rest) {
  const socket = client(t, url, ...rest);
  socket.on("error", () => {});
  const [, response] = await once(socket, "unexpected-response");
  let body = "";
  for await (const chunk of response.setEncoding("utf8")) body += chunk;
  return { status: response.statusCode, headers: response.headers, body };
}

describe("the options of WebSocketServer", () => {
  test("exactly one of port, server and noServer is expected", () => {
    for (const options of [{}, { port: 0, noServer: true }, { server: createServer(), noServer: true }]) {
      assert.throws(() => new WebSocketServer(options), TypeError);
    }
  });

  test("what cannot be is refused by name", () => {
    for (const options of [
      { maxPayload: -1 },
      { maxBufferedAmount: 0 },
      { closeTimeout: "soon" },
      { heartbeat: { interval: 0 } },
      { perMessageDeflate: { threshold: -1 } },
      { perMessageDeflate: { serverMaxWindowBits: 16 } },
      { perMessageDeflate: { zlibDeflateOptions: { level: 10 } } },
    ]) {
      assert.throws(() => new WebSocketServer({ noServer: true, ...options }), TypeError);
    }
  });

  test("the callback is called when it listens, and address() says where", async (t) => {
    await new Promise((resolve) => {
      const server = new WebSocketServer({ port: 0, host: "127.0.0.1" }, resolve);
      stopWith(t, server);
      server.once("listening", () => assert.equal(server.address().address, "127.0.0.1"));
    });
    assert.throws(() => new WebSocketServer({ noServer: true }).address(), /noServer/);
  });

  test("a port that is taken is an error event", async (t) => {
    const { server } = await listen(t);
    const second = new WebSocketServer({ port: server.address().port, host: "127.0.0.1" });
    const [error] = await once(second, "error");
    assert.equal(error.code, "EADDRINUSE");
  });

  test("clients has the sockets that are open, unless it is not to", async (t) => {
    const { server, url } = await listen(t);
    const connected = once(server, "connection");
    const peer = client(t, url);
    const [[socket]] = await Promise.all([connected, once(peer, "open")]);
    assert.deepEqual([...server.clients], [socket]);
    assert.ok(socket instanceof ServerSocket);
    const closed = once(socket, "close");
    peer.close();
    await closed;
    assert.equal(server.clients.size, 0);
    assert.equal(new WebSocketServer({ noServer: true, clientTracking: false }).clients, undefined);
  });

  test("sockets are of the class that is given", async (t) => {
    class Player extends ServerSocket {
      greet() {
        this.send("hello");
      }
    }
    const { url } = await listen(t, { WebSocket: Player }, (socket) => socket.greet());
    const [data] = await once(client(t, url), "message");
    assert.equal(String(data), "hello");
  });
});

describe("requests", () => {
  test("the connection event has the request, with its addresses", async (t) => {
    const { server, url } = await listen(t);
    const peer = client(t, `${url}room?name=a`, { headers: { "X-Token": "t" } });
    const [socket, request] = await once(server, "connection");
    assert.equal(request.url, "/room?name=a");
    assert.equal(request.headers["x-token"], "t");
    assert.equal(request.socket.remoteAddress, "127.0.0.1");
    assert.equal(request.socket.remotePort, peer._socket?.localPort ?? request.socket.remotePort);
    assert.equal(socket._socket, request.socket);
    assert.equal(socket.readyState, ServerSocket.OPEN);
  });

  test("what sends no handshake gets 426 from a server of its own", async (t) => {
    const { server } = await listen(t);
    const [response] = await once(get({ port: server.address().port, host: "127.0.0.1" }), "response");
    assert.equal(response.statusCode, 426);
    response.resume();
  });

  test("a handshake that is not in order is refused by what is wrong with it", async (t) => {
    const { server } = await listen(t);
    const good = {
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
      "Sec-WebSocket-Version": "13",
    };
    for (const [status, method, change] of [
      [400, "GET", { "Sec-WebSocket-Key": "short" }],
      [400, "GET", { "Sec-WebSocket-Protocol": "a, a" }],
      [400, "GET", { "Sec-WebSocket-Extensions": "=" }],
      [426, "GET", { "Sec-WebSocket-Version": "12" }],
      [405, "POST", {}],
    ]) {
      const request = httpRequest({
        port: server.address().port,
        host: "127.0.0.1",
        method,
        headers: { ...good, ...change },
      }).end();
      const [response] = await once(request, "response");
      assert.equal(response.statusCode, status, JSON.stringify(change));
      if (status === 426) assert.equal(response.headers["sec-websocket-version"], "13");
      response.resume();
    }
  });

  test("wsClientError takes over what would be refused", async (t) => {
    const { server } = await listen(t);
    const stream = connect(server.address().port, "127.0.0.1");
    stream.write("GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    const [error, socket, request] = await once(server, "wsClientError");
    assert.match(error.message, /sec-websocket-version/i);
    assert.equal(request.url, "/");
    socket.end("HTTP/1.1 418 I'm a Teapot\r\n\r\n");
    const [answer] = await once(stream, "data");
    assert.match(String(answer), /418/);
  });

  test("another path than the one served gets 400", async (t) => {
    const { url } = await listen(t, { path: "/chat" });
    assert.equal((await refusal(t, `${url}other`)).status, 400);
    await once(client(t, `${url}chat?x`), "open");
  });

  test("shouldHandle may be overridden", async (t) => {
    const { server, url } = await listen(t);
    server.shouldHandle = () => false;
    assert.equal((await refusal(t, url)).status, 400);
  });

  test("verifyClient decides, at once or later, with its own answer", async (t) => {
    let told;
    const { url } = await listen(t, {
      verifyClient: (info) => {
        told = info;
        return info.req.url !== "/no";
      },
    });
    assert.equal((await refusal(t, `${url}no`, { origin: "https://a.example" })).status, 401);
    assert.equal(told.origin, "https://a.example");
    assert.equal(told.secure, false);
    await once(client(t, url, { origin: "https://a.example" }), "open");

    const later = await listen(t, {
      verifyClient: (info, done) => {
        setImmediate(() => done(info.req.url !== "/no", 403, "members only", { "X-Why": "not one" }));
      },
    });
    const answer = await refusal(t, `${later.url}no`);
    assert.equal(answer.status, 403);
    assert.equal(answer.headers["x-why"], "not one");
    assert.equal(answer.body, "members only");
    await once(client(t, later.url), "open");
  });

  test("pages of other sites are refused, unless the server says otherwise", async (t) => {
    const { server, url } = await listen(t);
    const { port } = server.address();
    assert.equal((await refusal(t, url, { origin: "https://evil.example" })).status, 403);
    await once(client(t, url, { origin: "http://127.0.0.1:3000" }), "open");
    const strict = await listen(t, { origin: "same-origin" });
    assert.equal((await refusal(t, strict.url, { origin: `http://127.0.0.1:${port}` })).status, 403);
    const list = await listen(t, { origin: ["https://app.example"] });
    assert.equal((await refusal(t, list.url, { origin: "https://evil.example" })).status, 403);
    await once(client(t, list.url, { origin: "https://app.example" }), "open");
    const any = await listen(t, { origin: "any" });
    await once(client(t, any.url, { origin: "https://evil.example" }), "open");
  });

  test("the headers event may add to the response", async (t) => {
    const { server, url } = await listen(t);
    server.on("headers", (headers, request) => {
      assert.equal(headers[0], "HTTP/1.1 101 Switching Protocols");
      headers.push(`Set-Cookie: path=${request.url}`);
    });
    const [response] = await once(client(t, url), "upgrade");
    assert.deepEqual(response.headers["set-cookie"], ["path=/"]);
  });

  test("handleProtocols chooses, or the first is taken", async (t) => {
    const chosen = async (options, offered) => {
      const { server, url } = await listen(t, options);
      const peer = client(t, url, offered);
      const [[socket]] = await Promise.all([once(server, "connection"), once(peer, "open")]);
      assert.equal(socket.protocol, peer.protocol);
      return peer.protocol;
    };
    assert.equal(await chosen({}, ["b", "a"]), "b");
    assert.equal(await chosen({}, []), "");
    const handleProtocols = (protocols, request) => {
      assert.ok(protocols instanceof Set);
      assert.equal(request.url, "/");
      return protocols.has("a") && "a";
    };
    assert.equal(await chosen({ handleProtocols }, ["b", "a"]), "a");
  });

  test("noServer leaves the upgrade to the program, also one that takes its time", async (t) => {
    const http = createServer();
    const server = new WebSocketServer({ noServer: true });
    stopWith(t, server);
    t.after(() => http.close());
    http.on("upgrade", async (request, socket, head) => {
      // What is sent behind the request waits in the stream meanwhile.
      stream.write(frame);
      while (socket.readableLength === 0) await new Promise(setImmediate);
      server.handleUpgrade(request, socket, head, (ws, same) => {
        assert.equal(same, request);
        server.emit("connection", ws, request);
      });
    });
    server.on("connection", (ws) => ws.on("message", (data) => ws.send(`got ${data}`)));
    await once(http.listen(0, "127.0.0.1"), "listening");
    const stream = connect(http.address().port, "127.0.0.1");
    t.after(() => stream.destroy());
    const frame = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]);
    stream.write(
      "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    let answer = "";
    for await (const chunk of stream) {
      answer += chunk.toString("latin1");
      if (answer.endsWith("got hi")) break;
    }
    assert.match(answer, /^HTTP\/1\.1 101 .*s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/s);
  });

  test("an upgrade that is handled twice throws", async (t) => {
    const http = createServer();
    const server = new WebSocketServer({ noServer: true });
    stopWith(t, server);
    t.after(() => http.close());
    await once(http.listen(0, "127.0.0.1"), "listening");
    const peer = client(t, `ws://127.0.0.1:${http.address().port}`);
    const [request, socket, head] = await once(http, "upgrade");
    server.handleUpgrade(request, socket, head, () => {});
    await once(peer, "open");
    assert.throws(() => server.handleUpgrade(request, socket, head, () => assert.fail()), /twice/);
  });

  test("servers of HTTP are shared, also over a Unix socket", { skip: process.platform === "win32" }, async (t) => {
    const http = createServer((_, response) => response.end("page"));
    const server = new WebSocketServer({ server: http });
    stopWith(t, server);
    t.after(() => http.close());
    server.on("connection", (ws) => ws.on("message", (data, binary) => ws.send(data, { binary })));
    const path = join(tmpdir(), `longwire-${process.pid}.sock`);
    await once(http.listen(path), "listening");
    const peer = client(t, `ws+unix://${path}:/`);
    await once(peer, "open");
    peer.send("over a file");
    const [data] = await once(peer, "message");
    assert.equal(String(data), "over a file");
    assert.equal(server.address(), path);
  });
});

describe("what a client or a program does wrong ends nothing else", () => {
  test("a subprotocol that was not offered is answered with 400", async (t) => {
    const { url } = await listen(t, { handleProtocols: () => "ocpp1.6" });
    const answer = await refusal(t, url, ["ocpp2.0"]);
    assert.equal(answer.status, 400);
    assert.match(answer.body, /ocpp2\.0/);
    await once(client(t, url, ["ocpp1.6"]), "open");
  });

  test("a client that resets behind a bad handshake is no uncaught error", async (t) => {
    const { server } = await listen(t);
    const stream = connect(server.address().port, "127.0.0.1");
    stream.on("error", () => {});
    stream.write("GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    const [, socket] = await once(server, "wsClientError");
    const closed = new Promise((resolve) => socket.on("close", resolve));
    stream.resetAndDestroy();
    await closed;
  });

  test("verifyClient may leave out, or pass null for, what it has not", async (t) => {
    const { url } = await listen(t, {
      verifyClient(info, done) {
        assert.equal(this.path, null);
        if (info.req.url === "/null") done(false, null, null, null);
        else done(false, 0);
      },
      path: null,
    });
    for (const path of ["null", "zero"]) {
      const answer = await refusal(t, `${url}${path}`);
      assert.deepEqual([answer.status, answer.body], [401, "Unauthorized"]);
    }
  });

  test("a class of sockets that is none of ours is a TypeError", () => {
    assert.throws(() => new WebSocketServer({ noServer: true, WebSocket: class extends WebSocket {} }), TypeError);
  });

  test("options that ws takes are taken", () => {
    for (const options of [
      { maxPayload: Infinity },
      { maxPayload: 0 },
      { closeTimeout: 0 },
      { perMessageDeflate: { threshold: Infinity } },
      { perMessageDeflate: { clientMaxWindowBits: true, serverMaxWindowBits: null } },
      { perMessageDeflate: { zlibDeflateOptions: { level: -1 } } },
      { perMessageDeflate: { zlibDeflateOptions: { level: 0 } } },
    ]) {
      new WebSocketServer({ noServer: true, ...options });
    }
  });

  test("Node still knows the connection: its addresses, and that it is one", async (t) => {
    const { server, url } = await listen(t);
    const peer = client(t, url);
    const [[socket, request]] = await Promise.all([once(server, "connection"), once(peer, "open")]);
    assert.equal(request.socket.localPort, server.address().port);
    assert.equal(request.socket.destroyed, false);
    // A program may drop it there.
    const closed = once(socket, "close");
    request.socket.destroy();
    assert.equal((await closed)[0], 1006);
  });

  test("maxConnections of a server bounds its sockets too, and its close waits for them", async (t) => {
    const http = createServer();
    const server = new WebSocketServer({ server: http });
    stopWith(t, server);
    http.maxConnections = 1;
    await once(http.listen(0, "127.0.0.1"), "listening");
    const url = `ws://127.0.0.1:${http.address().port}`;
    const peer = client(t, url);
    await once(peer, "open");
    await once(client(t, url), "error");
    let closed = false;
    const done = new Promise((resolve) => {
      http.close(() => {
        closed = true;
        resolve();
      });
    });
    await new Promise(setImmediate);
    assert.equal(closed, false);
    peer.close();
    await done;
  });
});

describe("closing a server", () => {
  test("close waits for the sockets that are open, and takes no more", async (t) => {
    const { server, url } = await listen(t);
    const peer = client(t, url);
    const [[socket]] = await Promise.all([once(server, "connection"), once(peer, "open")]);
    let closed = false;
    const done = new Promise((resolve) => {
      server.close((error) => {
        closed = true;
        resolve(error);
      });
    });
    const late = client(t, url);
    await once(late, "error");
    assert.equal(closed, false);
    socket.close(1001, "going away");
    const [code, reason] = await once(peer, "close");
    assert.deepEqual([code, String(reason)], [1001, "going away"]);
    assert.equal(await done, undefined);
    assert.equal((await new Promise((resolve) => server.close(resolve))).message, "The server is not running");
  });

  test("a server of others lives on, and answers 503 no more than it must", async (t) => {
    const http = createServer();
    t.after(() => http.close());
    const server = new WebSocketServer({ server: http });
    await once(http.listen(0, "127.0.0.1"), "listening");
    await new Promise((resolve) => server.close(resolve));
    assert.equal(http.listenerCount("upgrade"), 0);
    assert.equal(http.listening, true);
    const peer = client(t, `ws://127.0.0.1:${http.address().port}`);
    http.once("upgrade", (request, socket, head) => {
      server.handleUpgrade(request, socket, head, () => assert.fail());
    });
    peer.on("error", () => {});
    const [, response] = await once(peer, "unexpected-response");
    assert.equal(response.statusCode, 503);
  });
});

describe("our own client", () => {
  test("talks with our server, binary and text, of any size", async (t) => {
    const { url } = await listen(t, {}, (ws) => {
      ws.on("message", (data, binary) => ws.send(data, { binary }));
    });
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    const message = () => new Promise((resolve) => (socket.onmessage = (event) => resolve(event.data)));
    await new Promise((resolve) => (socket.onopen = resolve));
    for (const size of [0, 1, 125, 126, 65535, 65536, 1 << 20, 16 << 20]) {
      const text = "é".repeat(size / 2);
      socket.send(text);
      assert.equal(await message(), text);
      const bytes = new Uint8Array(size).map((_, i) => i);
      socket.send(bytes);
      assert.deepEqual(Buffer.from(await message()), Buffer.from(bytes));
    }
    socket.close();
    await new Promise((resolve) => (socket.onclose = resolve));
  });
});
