// The snippets of the documents that asked for Longwire, unmodified, in Node: after
// `import "longwire/register"`. A proxy leads their hosts to servers of the test.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createContext, runInContext } from "node:vm";
import { WebSocketServer } from "ws";
import { configure } from "longwire";
import "longwire/register";

const seeds = new URL("../../../crates/testkit/peers/node/browser/seeds/", import.meta.url);
const seed = (name) => readFileSync(new URL(`${name}.js`, seeds), "utf8");

/** A proxy that knows these hosts: each with its port, and the port to go to. */
async function proxy(t, hosts) {
  const server = createServer();
  server.on("connect", (request, near, head) => {
    near.on("error", () => {});
    const port = hosts[request.url];
    if (port === undefined) return near.end("HTTP/1.1 502 Unknown\r\n\r\n");
    const far = connect(port, "127.0.0.1", () => {
      near.write("HTTP/1.1 200 Connected\r\n\r\n");
      far.write(head);
      near.pipe(far).pipe(near);
    });
    far.on("error", () => near.destroy());
    near.on("close", () => far.destroy());
    far.on("close", () => near.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  configure({ proxy: `http://127.0.0.1:${server.address().port}` });
  t.after(() => {
    configure({ proxy: undefined, ca: undefined });
    server.closeAllConnections();
    server.close();
  });
}

/** A page: what its scripts have said, and how to wait for more. */
function page(globals = {}) {
  const said = [];
  let heard = () => {};
  const say = (kind) => (...words) => {
    said.push(`${kind}: ${words.map((word) => (word instanceof Event ? word.type : String(word))).join(" ")}`);
    heard();
  };
  const context = createContext({
    WebSocket: globalThis.WebSocket,
    JSON,
    Date,
    console: { log: say("log"), error: say("error") },
    alert: say("alert"),
    ...globals,
  });
  return {
    said,
    run: (script) => runInContext(script, context),
    async until(text) {
      while (!said.includes(text)) await new Promise((resolve) => (heard = resolve));
    },
  };
}

async function echo(t, options = {}) {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", ...options });
  server.on("connection", (socket) => {
    socket.on("message", (data, binary) => socket.send(data, { binary }));
  });
  await once(server, "listening");
  t.after(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  return server;
}

test("WebSocket API, key interfaces: connect, send, receive, close; and an error", async (t) => {
  const server = await echo(t);
  await proxy(t, { "example.com:80": server.address().port });
  const [construct, send, close] = [[1, 3, 4, 5, 6], [2], [7]].map((numbers) =>
    numbers.map((number) => seed(`websocket-api-interfaces-${number}`)).join("\n"),
  );
  const visit = page();
  visit.run(construct);
  await visit.until("log: Connection opened.");
  visit.run(send);
  await visit.until("log: Message from server: Hello, Server!");
  visit.run(close);
  await visit.until("log: Connection closed: 1000 Normal closure");
  assert.equal(visit.said.length, 3);

  await proxy(t, {});
  const alone = page();
  alone.run(construct);
  await alone.until("log: Connection closed: 1006 ");
  assert.deepEqual(alone.said, ["error: WebSocket error: error", "log: Connection closed: 1006 "]);
});

test("WebSockets in JavaScript: listeners, send, close", async (t) => {
  const server = await echo(t);
  await proxy(t, { "example.com:80": server.address().port });
  const received = new Promise((resolve) => {
    server.once("connection", (socket) => socket.once("message", (data) => resolve(data.toString())));
  });
  const snippet = (number) => seed(`websockets-in-javascript-${number}`);
  const visit = page();
  visit.run([1, 2, 3].map(snippet).join("\n"));
  visit.run("socket.addEventListener('open', () => console.log('open')); socket.addEventListener('message', ({ data }) => console.log(data));");
  await visit.until("log: open");
  visit.run(snippet(4));
  assert.equal(await received, "Hello, server!");
  await visit.until("log: Hello, server!");
  visit.run(snippet(5));
  await visit.until("log: Connection closed cleanly,\n  code=1005, reason=");
  // Unasked for, the end is abrupt.
  const abrupt = page();
  server.once("connection", (socket) => socket.terminate());
  abrupt.run([1, 2, 3].map(snippet).join("\n"));
  await abrupt.until("error: Connection abruptly closed");
  assert.ok(abrupt.said.includes("error: WebSocket error: error"));
});

test("WebSocket API, applications: protocols, and the text of a chat", async (t) => {
  const server = await echo(t, { handleProtocols: () => "protocolTwo" });
  await proxy(t, { "www.example.com:80": server.address().port });
  const text = { value: "what I say" };
  const visit = page({
    url: "ws://www.example.com/socketserver",
    protocols: ["protocolOne", "protocolTwo"],
    clientID: 7,
    document: { getElementById: (id) => (id === "text" ? text : null) },
  });
  visit.run("var webSocket, exampleSocket;");
  visit.run(seed("websocket-api-applications-1"));
  visit.run("exampleSocket = webSocket; exampleSocket.onopen = () => console.log('open', webSocket.protocol); exampleSocket.onmessage = ({ data }) => console.log(data);");
  await visit.until("log: open protocolTwo");
  visit.run(seed("websocket-api-applications-2"));
  await visit.until("log: Here's some text that the server is urgently awaiting!");
  visit.run(seed("websocket-api-applications-3"));
  visit.run("exampleSocket.onmessage = ({ data }) => { const { type, text, id } = JSON.parse(data); console.log(type, text, id); };");
  visit.run("sendText()");
  await visit.until("log: message what I say 7");
  assert.equal(text.value, "");
});

test("Summary | WebSocket: the hello demo, over TLS", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "longwire-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const [key, cert] = ["key.pem", "cert.pem"].map((name) => join(folder, name));
  const extensions = ["subjectAltName=DNS:javascript.info", "basicConstraints=critical,CA:FALSE"];
  execFileSync("openssl", [
    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
    "-subj", "/CN=javascript.info", ...extensions.flatMap((extension) => ["-addext", extension]),
    "-keyout", key, "-out", cert,
  ], { stdio: "ignore" });
  const ca = readFileSync(cert, "utf8");
  const secure = createSecureServer({ key: readFileSync(key), cert: ca });
  const sockets = new WebSocketServer({ server: secure, path: "/article/websocket/demo/hello" });
  sockets.on("connection", (socket) => {
    socket.on("message", (data) => {
      const name = /([\p{Alpha}\p{M}\p{Nd}\p{Pc}\p{Join_C}]+)$/u.exec(data.toString())?.[1] ?? "Guest";
      socket.send(`Hello from server, ${name}!`);
      setImmediate(() => socket.close(1000, "Bye!"));
    });
  });
  secure.listen(0, "127.0.0.1");
  await once(secure, "listening");
  t.after(() => {
    secure.closeAllConnections();
    secure.close();
  });
  await proxy(t, { "javascript.info:443": secure.address().port });
  configure({ ca });
  const visit = page();
  visit.run(seed("summary-websocket-2"));
  await visit.until("alert: [close] Connection closed cleanly, code=1000 reason=Bye!");
  assert.deepEqual(visit.said.slice(0, 3), [
    "alert: [open] Connection established",
    "alert: Sending to server",
    "alert: [message] Data received from server: Hello from server, John!",
  ]);
  await proxy(t, {});
  const alone = page();
  alone.run(seed("summary-websocket-2"));
  await alone.until("alert: [close] Connection died");
  assert.deepEqual(alone.said, ["alert: [error]", "alert: [close] Connection died"]);
});

test("Summary | WebSocket: a URL with marks left in is none without a page, and relative on one", (t) => {
  const script = seed("summary-websocket-1");
  assert.throws(() => page().run(script), (error) => error.name === "SyntaxError" && error instanceof DOMException);
  t.after(() => configure({ baseURL: undefined }));
  configure({ baseURL: "https://javascript.info/websocket" });
  const visit = page();
  visit.run(script);
  assert.equal(visit.run("socket.url"), "wss://javascript.info/*!*ws*/!*://javascript.info");
  visit.run("socket.close()");
});

test("Websocket: listeners for open and message", async (t) => {
  const server = await echo(t);
  await proxy(t, { "localhost:8080": server.address().port });
  const visit = page();
  visit.run(seed("websocket-1"));
  await visit.until("log: Message from server  Hello Server!");
  visit.run("socket.close()");
});
