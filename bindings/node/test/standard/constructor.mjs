// Section 3.1: the constructor.

import { equal, next, opened, same, throws } from "./harness.mjs";

const closing = (socket) => {
  socket.close();
  return socket;
};

export default (test) => {
  test("a URL that is none of a WebSocket is a SyntaxError", ({ WebSocket }) => {
    for (const url of [
      "ftp://h/", "mailto:a@b", "about:blank", "ws://", "ws://h:99999/", "ws://h/#", "ws://h/#top", "wss://h/?q#top",
      "javascript:0", "ws://[::1/", "data:,", "blob:null/x", "http://h/#x", "ws:///", "ws://?x",
      "ws://h:-1/",
    ]) {
      const error = throws(() => new WebSocket(url), "SyntaxError", url);
      equal(error.code, 12);
    }
  });

  test("a host has neither spaces nor percent signs", ({ WebSocket }) => {
    for (const url of ["ws://a b/", "ws://%/"]) throws(() => new WebSocket(url), "SyntaxError", url);
  });

  test("the URL is parsed, mapped and serialized", ({ WebSocket }) => {
    for (const [url, expected] of [
      ["ws://EXAMPLE.invalid", "ws://example.invalid/"],
      ["WSS://h.invalid:443/a?b", "wss://h.invalid/a?b"],
      ["http://h.invalid", "ws://h.invalid/"],
      ["https://h.invalid:80/", "wss://h.invalid:80/"],
      ["http://h.invalid:80", "ws://h.invalid/"],
      [" ws://h.invalid/ ", "ws://h.invalid/"],
      ["ws://h.invalid/a/../b/./c", "ws://h.invalid/b/c"],
      ["ws://h.invalid/\ud800", "ws://h.invalid/%EF%BF%BD"],
      ["ws://b\u00fccher.invalid/", "ws://xn--bcher-kva.invalid/"],
      ["ws://h.invalid/%zz?%", "ws://h.invalid/%zz?%"],
      ["ws://0x7f.1:6667/", "ws://127.0.0.1:6667/"],
      [new URL("ws://h.invalid/x"), "ws://h.invalid/x"],
      [{ toString: () => "ws://h.invalid/o" }, "ws://h.invalid/o"],
      [["ws://h.invalid/array"], "ws://h.invalid/array"],
    ]) {
      equal(closing(new WebSocket(url)).url, expected);
    }
  });

  test("relative URLs are relative to the document", ({ WebSocket, url }) => {
    for (const [relative, path] of [["/chat?x", "/chat?x"], ["chat", "/chat"], ["", "/"], ["?q", "/?q"], [".", "/"]]) {
      equal(closing(new WebSocket(relative)).url, `${url}${path}`, relative);
    }
    equal(closing(new WebSocket("//h.invalid/x")).url, "ws://h.invalid/x");
    throws(() => new WebSocket("#top"), "SyntaxError");
  });

  test("subprotocols are tokens, each once", ({ WebSocket }) => {
    for (const protocols of [
      "", " ", "a b", "a,b", "\u00e9", "a/b", "\0", "a\x7f", "a\tb", "a\r\n", "{", "[", "\"", "(", ")", "<", ">", "@",
      ";", ":", "\\", "?", "=", [""], ["a", "a"], ["a", "b", "a"], ["ok", "(no)"], {}, [["a", "a"]],
    ]) {
      throws(() => new WebSocket("ws://h.invalid", protocols), "SyntaxError", String(protocols));
    }
    const good = [undefined, [], "chat", null, 1, ["a", "A"], new Set(["x", "y"]), "!#$%&'*+-.^_`|~", "a".repeat(1000)];
    for (const protocols of good) closing(new WebSocket("ws://h.invalid", protocols));
  });

  test("the URL is judged before the subprotocols", ({ WebSocket }) => {
    const order = [];
    const url = { toString: () => (order.push("url"), "ftp://h") };
    const protocol = { toString: () => (order.push("protocol"), "a") };
    throws(() => new WebSocket(url, [protocol]), "SyntaxError");
    same(order, ["url", "protocol"]);
  });

  test("what cannot be converted is a TypeError", ({ WebSocket }) => {
    throws(() => new WebSocket(), TypeError);
    throws(() => WebSocket("ws://h"), TypeError);
    throws(() => new WebSocket(Symbol("x")), TypeError);
    throws(() => new WebSocket("ws://h.invalid", Symbol("x")), TypeError);
    throws(() => new WebSocket("ws://h.invalid", [Symbol("x")]), TypeError);
    throws(() => new WebSocket("ws://h.invalid", { [Symbol.iterator]: 1 }), TypeError);
    throws(() => new WebSocket("ws://h.invalid", { [Symbol.iterator]: () => 1 }), TypeError);
    const thrown = new Error("mine");
    const thrower = () => {
      throw thrown;
    };
    throws(() => new WebSocket({ toString: thrower }), thrown);
    throws(() => new WebSocket("ws://h.invalid", { [Symbol.iterator]: thrower }), thrown);
    throws(() => new WebSocket("ws://h.invalid", ["a", { toString: thrower }]), thrown);
  });

  test("the iterator of subprotocols is asked for once, and called as it should be", ({ WebSocket }) => {
    let asked = 0;
    let returned = 0;
    const iterable = {
      get [Symbol.iterator]() {
        asked++;
        return function () {
          equal(this, iterable);
          const items = ["a", Symbol("no")];
          return {
            next: () => ({ value: items.shift(), done: false }),
            return: () => (returned++, {}),
          };
        };
      },
    };
    throws(() => new WebSocket("ws://h.invalid", iterable), TypeError);
    same([asked, returned], [1, 0]);
  });

  test("a new socket is connecting, and has nothing yet", async ({ WebSocket, url }) => {
    const socket = new WebSocket(`${url}/echo?protocol=b`, ["b"]);
    same([socket.readyState, socket.protocol, socket.extensions, socket.bufferedAmount], [0, "", "", 0]);
    await next(socket, "open");
    same([socket.readyState, socket.protocol, socket.bufferedAmount], [1, "b", 0]);
    socket.close();
  });

  test("connections to one server are made one after the other, in their order", async ({ WebSocket, url }) => {
    const order = [];
    const sockets = Array.from({ length: 8 }, (_, i) => {
      const socket = new WebSocket(`${url}/echo`);
      socket.onopen = () => order.push(i);
      return socket;
    });
    await Promise.all(sockets.map((socket) => next(socket, "open")));
    same(order, [0, 1, 2, 3, 4, 5, 6, 7]);
    for (const socket of sockets) socket.close();
  });

  test("extensions are those that the server has chosen", async ({ WebSocket, url }) => {
    const socket = await opened(WebSocket, `${url}/echo`);
    equal(socket.extensions, "");
    socket.close();
  });
};
