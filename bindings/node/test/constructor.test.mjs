// https://websockets.spec.whatwg.org/#dom-websocket-websocket

import assert from "node:assert/strict";
import { test } from "node:test";
import { WebSocket, configure } from "longwire";
import { echoServer, next, rawServer, accept } from "./peer.mjs";

const syntaxError = (error) => error instanceof DOMException && error.name === "SyntaxError" && error.code === 12;

/** Gives up a connection that nobody wants. */
function closing(socket) {
  socket.onerror = () => {};
  socket.close();
  return socket;
}

test("a URL that is none of a WebSocket is a SyntaxError", () => {
  for (const url of [
    "", "/relative", "example.com", "ftp://h/", "mailto:a@b", "about:blank", "ws://", "ws://h:99999/",
    "ws://h/#", "ws://h/#top", "wss://h/?q#top", "ws://a b/", "javascript:0", "ws://[::1/",
  ]) {
    assert.throws(() => new WebSocket(url), syntaxError, url);
  }
});

test("the URL is parsed, mapped and serialized", () => {
  for (const [url, expected] of [
    ["ws://EXAMPLE.invalid", "ws://example.invalid/"],
    ["wss://h.invalid:443/a?b", "wss://h.invalid/a?b"],
    ["http://h.invalid", "ws://h.invalid/"],
    ["https://h.invalid:80/", "wss://h.invalid:80/"],
    [" ws://h.invalid/ ", "ws://h.invalid/"],
    ["ws://h.invalid/\ud800", "ws://h.invalid/%EF%BF%BD"],
    [new URL("ws://h.invalid/x"), "ws://h.invalid/x"],
    [{ toString: () => "ws://h.invalid/o" }, "ws://h.invalid/o"],
  ]) {
    assert.equal(closing(new WebSocket(url)).url, expected);
  }
});

test("relative URLs are relative to what is configured", (t) => {
  t.after(() => configure({ baseURL: undefined }));
  configure({ baseURL: "https://base.invalid/a/b#c" });
  assert.equal(closing(new WebSocket("../chat?x")).url, "wss://base.invalid/chat?x");
  assert.throws(() => new WebSocket("#c"), syntaxError);
  assert.throws(() => new WebSocket("/", [], { baseURL: "not a URL" }), syntaxError);
});

test("subprotocols are tokens, each once", () => {
  for (const protocols of [
    "", " ", "a b", "a,b", "\u00e9", "a/b", "\0", [""], ["a", "a"], ["a", "b", "a"], ["ok", "(no)"], {},
    [["a", "a"]],
  ]) {
    assert.throws(() => new WebSocket("ws://h.invalid", protocols), syntaxError, String(protocols));
  }
  for (const protocols of [undefined, [], "chat", null, ["a", "A"], new Set(["x", "y"]), "!#$%&'*+-.^_`|~"]) {
    closing(new WebSocket("ws://h.invalid", protocols));
  }
});

test("what cannot be converted is a TypeError", () => {
  assert.throws(() => new WebSocket(), TypeError);
  assert.throws(() => WebSocket("ws://h"), TypeError);
  assert.throws(() => new WebSocket(Symbol("x")), TypeError);
  assert.throws(() => new WebSocket("ws://h.invalid", [Symbol("x")]), TypeError);
  assert.throws(() => new WebSocket("ws://h.invalid", { [Symbol.iterator]: 1 }), TypeError);
  let asked = 0;
  const once = {
    get [Symbol.iterator]() {
      asked++;
      return function* () {
        yield "chat";
      };
    },
  };
  closing(new WebSocket("ws://h.invalid", once));
  assert.equal(asked, 1);
  const thrown = new Error("mine");
  assert.throws(() => new WebSocket({ toString() { throw thrown; } }), thrown);
});

test("a subprotocol is negotiated, and one that is not answered fails", async (t) => {
  const { url } = await echoServer(t, { handleProtocols: (offered) => offered.has("b") && "b" });
  const socket = new WebSocket(url, ["a", "b"]);
  assert.deepEqual([socket.protocol, socket.extensions, socket.readyState], ["", "", 0]);
  await next(socket, "open");
  assert.equal(socket.protocol, "b");
  socket.close();
  const unanswered = new WebSocket(url, "other");
  const close = await next(unanswered, "close");
  assert.deepEqual([close.code, close.reason, close.wasClean], [1006, "", false]);
});

test("options that browsers do not have reach the server", async (t) => {
  const heads = [];
  const { url } = await rawServer(t, (stream, head) => {
    heads.push(head);
    stream.write(accept(head));
    stream.on("data", () => stream.end());
  });
  const socket = new WebSocket(url.replace("ws://", "ws://me:pw@"), [], {
    headers: { "X-Mine": "yes" },
    origin: "https://app.example",
    perMessageDeflate: false,
  });
  await next(socket, "open");
  assert.match(heads[0], /^x-mine: yes\r$/im);
  assert.match(heads[0], /^origin: https:\/\/app\.example\r$/im);
  assert.match(heads[0], /^authorization: Basic bWU6cHc=\r$/im);
  assert.doesNotMatch(heads[0], /sec-websocket-extensions/i);
  socket.close();
});
