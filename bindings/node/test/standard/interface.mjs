// Section 3.1: what the Web IDL of the interface makes observable.

import { equal, ok, same, throws } from "./harness.mjs";

const given = (WebSocket) => {
  const socket = new WebSocket("ws://h.invalid");
  socket.close();
  return socket;
};

export default (test) => {
  test("the interface object has its constants, length, name and ancestors", ({ WebSocket }) => {
    for (const [name, value] of Object.entries({ CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 })) {
      for (const holder of [WebSocket, WebSocket.prototype]) {
        const descriptor = Object.getOwnPropertyDescriptor(holder, name);
        same([descriptor.value, descriptor.writable, descriptor.enumerable, descriptor.configurable], [value, false, true, false]);
      }
    }
    equal(WebSocket.name, "WebSocket");
    equal(WebSocket.length, 1);
    equal(WebSocket.prototype.send.length, 1);
    equal(WebSocket.prototype.close.length, 0);
    equal(WebSocket.prototype.constructor, WebSocket);
    equal(Object.getPrototypeOf(WebSocket), EventTarget);
    equal(Object.getPrototypeOf(WebSocket.prototype), EventTarget.prototype);
    const prototype = Object.getOwnPropertyDescriptor(WebSocket, "prototype");
    same([prototype.writable, prototype.enumerable, prototype.configurable], [false, false, false]);
  });

  test("the prototype has the members of the standard, in its order, and no others", ({ WebSocket }) => {
    const members = Object.keys(WebSocket.prototype).sort();
    const expected = [
      "CLOSED", "CLOSING", "CONNECTING", "OPEN", "binaryType", "bufferedAmount", "close", "extensions", "onclose",
      "onerror", "onmessage", "onopen", "protocol", "readyState", "send", "url",
    ];
    same(members, expected);
  });

  test("attributes are accessors that know their objects", ({ WebSocket }) => {
    for (const name of ["url", "readyState", "bufferedAmount", "extensions", "protocol"]) {
      const descriptor = Object.getOwnPropertyDescriptor(WebSocket.prototype, name);
      equal(typeof descriptor.get, "function", name);
      equal(descriptor.get.name, `get ${name}`);
      equal(descriptor.set, undefined, name);
      ok(descriptor.enumerable && descriptor.configurable, name);
      throws(() => descriptor.get.call({}), TypeError, name);
      throws(() => descriptor.get.call(WebSocket.prototype), TypeError, name);
    }
    for (const name of ["onopen", "onmessage", "onerror", "onclose", "binaryType"]) {
      const descriptor = Object.getOwnPropertyDescriptor(WebSocket.prototype, name);
      ok(descriptor.get && descriptor.set && descriptor.enumerable && descriptor.configurable, name);
      throws(() => descriptor.set.call({}, null), TypeError, name);
    }
    for (const name of ["send", "close"]) {
      const descriptor = Object.getOwnPropertyDescriptor(WebSocket.prototype, name);
      ok(descriptor.writable && descriptor.enumerable && descriptor.configurable, name);
      throws(() => descriptor.value.call({}, "x"), TypeError);
    }
    const socket = given(WebSocket);
    same(Object.getOwnPropertyNames(socket).filter((name) => name !== "isTrusted"), []);
  });

  test("toString tells the interface", ({ WebSocket }) => {
    equal(String(given(WebSocket)), "[object WebSocket]");
    const tag = Object.getOwnPropertyDescriptor(WebSocket.prototype, Symbol.toStringTag);
    same([tag.value, tag.writable, tag.enumerable, tag.configurable], ["WebSocket", false, false, true]);
  });

  test("it may be extended", ({ WebSocket }) => {
    class Mine extends WebSocket {
      constructor() {
        super("ws://h.invalid");
      }
    }
    const socket = new Mine();
    ok(socket instanceof Mine && socket instanceof WebSocket && socket instanceof EventTarget);
    socket.close();
  });

  test("event handlers are functions, objects or null", ({ WebSocket }) => {
    const socket = given(WebSocket);
    for (const name of ["onopen", "onmessage", "onerror", "onclose"]) {
      equal(socket[name], null);
      const handler = () => {};
      socket[name] = handler;
      equal(socket[name], handler);
      for (const nothing of [null, undefined, 0, "string", Symbol("x"), true]) {
        socket[name] = nothing;
        equal(socket[name], null);
      }
      const object = {};
      socket[name] = object;
      equal(socket[name], object);
      socket[name] = null;
    }
  });

  test("a handler has its place among the listeners, and keeps it", ({ WebSocket }) => {
    const socket = given(WebSocket);
    const order = [];
    socket.addEventListener("x", () => order.push("never"));
    socket.onopen = () => order.push("first");
    socket.addEventListener("open", () => order.push("listener"));
    socket.onopen = function (event) {
      order.push("replaced", this === socket, event.type);
    };
    socket.dispatchEvent(new Event("open"));
    same(order.splice(0), ["replaced", true, "open", "listener"]);
    socket.onopen = null;
    socket.onopen = () => order.push("again");
    socket.dispatchEvent(new Event("open"));
    same(order.splice(0), ["listener", "again"]);
    socket.onopen = { handleEvent: () => order.push("an object is no listener") };
    socket.dispatchEvent(new Event("open"));
    same(order, ["listener"]);
  });

  test("a handler that returns false prevents the default", ({ WebSocket }) => {
    const socket = given(WebSocket);
    socket.onopen = () => false;
    const event = new Event("open", { cancelable: true });
    equal(socket.dispatchEvent(event), false);
    equal(event.defaultPrevented, true);
  });

  test("binaryType ignores what is none", ({ WebSocket }) => {
    const socket = given(WebSocket);
    equal(socket.binaryType, "blob");
    socket.binaryType = "arraybuffer";
    for (const other of ["text", "", "Blob", null, undefined, 1]) {
      socket.binaryType = other;
      equal(socket.binaryType, "arraybuffer");
    }
    socket.binaryType = { toString: () => "blob" };
    equal(socket.binaryType, "blob");
    throws(() => (socket.binaryType = Symbol("x")), TypeError);
  });

  test("readyState and url cannot be set", ({ WebSocket }) => {
    const socket = given(WebSocket);
    throws(() => (socket.readyState = 1), TypeError);
    throws(() => (socket.url = "ws://other"), TypeError);
    equal(socket.readyState, 2);
  });
};
