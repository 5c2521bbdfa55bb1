// How the classes are found.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import * as longwire from "longwire";

const { MessageEvent, WebSocket } = longwire;

const NodesMessageEvent = globalThis.MessageEvent;

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

test("an event of Node's own is a MessageEvent too, once ours is in its place", async () => {
  await import("longwire/register");
  const event = new NodesMessageEvent("message", { data: 1 });
  assert.ok(event instanceof globalThis.MessageEvent);
  assert.ok(!(new Event("message") instanceof globalThis.MessageEvent));
  assert.ok(!(event instanceof class extends MessageEvent {}));
});

test("require gives what programs for ws look for on the class", () => {
  const required = createRequire(import.meta.url)("longwire");
  assert.deepEqual([required.CONNECTING, required.OPEN, required.CLOSING, required.CLOSED], [0, 1, 2, 3]);
  assert.equal(required.Server, longwire.WebSocketServer);
  assert.equal(longwire.default, WebSocket);
});
