// What the Web IDL of the interfaces makes observable.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import * as longwire from "longwire";

const { CloseEvent, MessageEvent, WebSocket } = longwire;

test("the interface objects have their constants, lengths and names", () => {
  const constants = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 };
  for (const [name, value] of Object.entries(constants)) {
    for (const holder of [WebSocket, WebSocket.prototype]) {
      const expected = { value, writable: false, enumerable: true, configurable: false };
      assert.deepEqual(Object.getOwnPropertyDescriptor(holder, name), expected);
    }
  }
  assert.equal(WebSocket.name, "WebSocket");
  assert.equal(WebSocket.length, 1);
  assert.equal(WebSocket.prototype.send.length, 1);
  assert.equal(WebSocket.prototype.close.length, 0);
  assert.equal(Object.getPrototypeOf(WebSocket), EventTarget);
  assert.equal(Object.getPrototypeOf(WebSocket.prototype), EventTarget.prototype);
  assert.equal(Object.getPrototypeOf(CloseEvent.prototype), Event.prototype);
  assert.equal(Object.getPrototypeOf(MessageEvent.prototype), Event.prototype);
});

test("attributes are accessors on the prototype and methods are enumerable", () => {
  for (const name of ["url", "readyState", "bufferedAmount", "extensions", "protocol"]) {
    const descriptor = Object.getOwnPropertyDescriptor(WebSocket.prototype, name);
    assert.equal(typeof descriptor.get, "function", name);
    assert.equal(descriptor.set, undefined, name);
    assert.ok(descriptor.enumerable && descriptor.configurable, name);
    assert.throws(() => descriptor.get.call({}), TypeError, name);
  }
  for (const name of ["onopen", "onmessage", "onerror", "onclose", "binaryType"]) {
    const descriptor = Object.getOwnPropertyDescriptor(WebSocket.prototype, name);
    assert.ok(descriptor.get && descriptor.set && descriptor.enumerable, name);
  }
  for (const name of ["send", "close"]) {
    const descriptor = Object.getOwnPropertyDescriptor(WebSocket.prototype, name);
    assert.ok(descriptor.writable && descriptor.enumerable && descriptor.configurable, name);
    assert.throws(() => descriptor.value.call({}, "x"), TypeError);
  }
});

test("toString tells the interface", () => {
  const socket = new WebSocket("ws://h.invalid");
  socket.close();
  assert.equal(String(socket), "[object WebSocket]");
  const expected = { value: "WebSocket", writable: false, enumerable: false, configurable: true };
  assert.deepEqual(Object.getOwnPropertyDescriptor(WebSocket.prototype, Symbol.toStringTag), expected);
  assert.equal(String(new CloseEvent("x")), "[object CloseEvent]");
  assert.equal(String(new MessageEvent("x")), "[object MessageEvent]");
});

test("event handlers are functions, objects or null", () => {
  const socket = new WebSocket("ws://h.invalid");
  socket.close();
  for (const name of ["onopen", "onmessage", "onerror", "onclose"]) {
    assert.equal(socket[name], null);
    const handler = () => {};
    socket[name] = handler;
    assert.equal(socket[name], handler);
    for (const nothing of [null, undefined, 0, "string", Symbol("x"), true]) {
      socket[name] = nothing;
      assert.equal(socket[name], null);
    }
    const object = {};
    socket[name] = object;
    assert.equal(socket[name], object);
    socket[name] = null;
  }
});

test("binaryType ignores what is none", () => {
  const socket = new WebSocket("ws://h.invalid");
  socket.close();
  assert.equal(socket.binaryType, "blob");
  socket.binaryType = "arraybuffer";
  for (const other of ["text", "", "Blob", null, undefined, 1]) {
    socket.binaryType = other;
    assert.equal(socket.binaryType, "arraybuffer");
  }
  socket.binaryType = { toString: () => "blob" };
  assert.equal(socket.binaryType, "blob");
});

test("close events and message events are made with their dictionaries", () => {
  const bare = new CloseEvent("x");
  assert.deepEqual([bare.type, bare.wasClean, bare.code, bare.reason, bare.bubbles], ["x", false, 0, "", false]);
  const full = new CloseEvent("x", { wasClean: 1, code: 65537, reason: "\ud800", cancelable: true });
  assert.deepEqual([full.wasClean, full.code, full.reason, full.cancelable], [true, 1, "\ufffd", true]);
  assert.throws(() => new CloseEvent(), TypeError);
  assert.throws(() => new CloseEvent("x", 1), TypeError);
  const data = { any: "thing" };
  const message = new MessageEvent("x", { data, origin: "o", lastEventId: "7", ports: [] });
  assert.equal(message.data, data);
  assert.deepEqual([message.origin, message.lastEventId, message.source, message.ports], ["o", "7", null, []]);
  assert.equal(new MessageEvent("x").data, null);
  assert.throws(() => Object.getOwnPropertyDescriptor(CloseEvent.prototype, "code").get.call({}), TypeError);
});

test("CommonJS and ESM have the same classes, and register puts them on globalThis", async () => {
  const required = createRequire(import.meta.url)("longwire");
  assert.equal(required.WebSocket, WebSocket);
  await import("longwire/register");
  for (const name of ["WebSocket", "WebSocketStream", "WebSocketError", "CloseEvent", "MessageEvent"]) {
    assert.equal(globalThis[name], longwire[name]);
    const descriptor = Object.getOwnPropertyDescriptor(globalThis, name);
    assert.deepEqual([descriptor.writable, descriptor.enumerable, descriptor.configurable], [true, false, true]);
  }
});
