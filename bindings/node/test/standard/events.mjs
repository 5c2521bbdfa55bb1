// Section 6: CloseEvent; and MessageEvent, of HTML section 9.1.

import { equal, next, ok, same, throws } from "./harness.mjs";

export default (test) => {
  test("a close event is made with its dictionary", ({ CloseEvent }) => {
    const bare = new CloseEvent("x");
    same([bare.type, bare.wasClean, bare.code, bare.reason, bare.bubbles, bare.cancelable], ["x", false, 0, "", false, false]);
    const full = new CloseEvent("x", { wasClean: 1, code: 65537, reason: "\ud800", cancelable: true, bubbles: true, composed: true });
    same([full.wasClean, full.code, full.reason, full.cancelable, full.bubbles, full.composed], [true, 1, "\ufffd", true, true, true]);
    for (const [code, expected] of [[-1, 65535], [1.9, 1], ["7", 7], [NaN, 0], [null, 0], [Infinity, 0], [undefined, 0], [4294967297, 1]]) {
      equal(new CloseEvent("x", { code }).code, expected, String(code));
    }
    throws(() => new CloseEvent(), TypeError);
    throws(() => CloseEvent("x"), TypeError);
    throws(() => new CloseEvent("x", 1), TypeError);
    throws(() => new CloseEvent("x", { code: Symbol("x") }), TypeError);
    throws(() => new CloseEvent("x", { reason: Symbol("x") }), TypeError);
    for (const init of [undefined, null, {}, [], () => {}]) equal(new CloseEvent("x", init).code, 0);
    equal(CloseEvent.length, 1);
  });

  test("members of the dictionary are read once, in the order of Web IDL", ({ CloseEvent }) => {
    const read = [];
    const init = new Proxy({}, {
      get(_, name) {
        if (typeof name === "string") read.push(name);
        return undefined;
      },
    });
    new CloseEvent("x", init);
    same(read, ["bubbles", "cancelable", "composed", "code", "reason", "wasClean"]);
  });

  test("a message event is made with its dictionary", ({ MessageEvent }) => {
    const data = { any: "thing" };
    const full = new MessageEvent("x", { data, origin: "\ud800", lastEventId: "7", ports: [] });
    equal(full.data, data);
    same([full.origin, full.lastEventId, full.source, full.ports.length], ["\ufffd", "7", null, 0]);
    ok(Object.isFrozen(full.ports));
    equal(full.ports, full.ports);
    const bare = new MessageEvent("x");
    same([bare.data, bare.origin, bare.lastEventId, bare.source, bare.ports.length], [null, "", "", null, 0]);
    equal(new MessageEvent("x", { data: undefined }).data, null);
    for (const init of [{ source: 1 }, { source: "x" }, { source: {} }, { ports: 1 }, { ports: {} }, { ports: [1] }, { ports: null }]) {
      throws(() => new MessageEvent("x", init), TypeError, JSON.stringify(init));
    }
    const { port1 } = new MessageChannel();
    const sent = new MessageEvent("x", { source: port1, ports: [port1] });
    same([sent.source, sent.ports[0], sent.ports.length], [port1, port1, 1]);
    port1.close();
    throws(() => new MessageEvent(), TypeError);
    throws(() => new MessageEvent("x", 1), TypeError);
  });

  test("initMessageEvent sets what it is given, while the event is not dispatched", ({ MessageEvent }) => {
    const event = new MessageEvent("x", { data: 1 });
    event.initMessageEvent("y", true, true, 2, "o", "id");
    same([event.type, event.bubbles, event.cancelable, event.data, event.origin, event.lastEventId], ["y", true, true, 2, "o", "id"]);
    same([event.source, event.ports.length], [null, 0]);
    throws(() => event.initMessageEvent(), TypeError);
    const target = new EventTarget();
    target.addEventListener("y", () => event.initMessageEvent("z", false, false, 3));
    target.dispatchEvent(event);
    same([event.type, event.data], ["y", 2]);
  });

  test("both are events by all that shows", ({ CloseEvent, MessageEvent }) => {
    for (const [Class, name, members] of [
      [CloseEvent, "CloseEvent", ["code", "reason", "wasClean"]],
      [MessageEvent, "MessageEvent", ["data", "initMessageEvent", "lastEventId", "origin", "ports", "source"]],
    ]) {
      equal(Class.name, name);
      equal(Object.getPrototypeOf(Class), Event);
      equal(Object.getPrototypeOf(Class.prototype), Event.prototype);
      equal(String(new Class("x")), `[object ${name}]`);
      same(Object.keys(Class.prototype).sort(), members);
      for (const member of members) {
        const { get } = Object.getOwnPropertyDescriptor(Class.prototype, member);
        if (get) throws(() => get.call({}), TypeError, member);
      }
    }
  });

  test("the events of a socket are of these classes", async ({ WebSocket, CloseEvent, MessageEvent, url }) => {
    const socket = new WebSocket(`${url}/send?text=a&code=1000`);
    const open = await next(socket, "open");
    same([open.constructor, open.bubbles, open.cancelable, open.target], [Event, false, false, socket]);
    const message = await next(socket, "message");
    same([message.constructor, message.bubbles, message.cancelable, message.target], [MessageEvent, false, false, socket]);
    const close = await next(socket, "close");
    same([close.constructor, close.bubbles, close.cancelable, close.target], [CloseEvent, false, false, socket]);
  });
};
