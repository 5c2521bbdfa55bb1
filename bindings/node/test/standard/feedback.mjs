// Section 4: feedback from the protocol, in every ending there is.

import { equal, next, ok, opened, same, toTheEnd, told } from "./harness.mjs";

const hex = (...bytes) => bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
const closeFrame = (code, reason = []) => hex(0x88, 2 + reason.length, code >> 8, code & 0xff, ...reason);
/** What a server may send in a Close frame (RFC 6455 sections 7.4.1 and 7.4.2, and the registry). */
const mayBeSent = (code) =>
  (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999);

export default (test) => {
  test("open, messages and close come in their states", async ({ WebSocket, url }) => {
    const { names, close } = await toTheEnd(new WebSocket(`${url}/send?text=a&text=b&code=1000&reason=bye`));
    same(names, ["open 1", "message 1", "message 1", "close 3"]);
    same(told(close), [1000, "bye", true]);
  });

  test("a server that closes without a code is 1005, and clean", async ({ WebSocket, url }) => {
    const { names, close } = await toTheEnd(new WebSocket(`${url}/raw?hex=8800&then=end`));
    same(names, ["open 1", "close 3"]);
    same(told(close), [1005, "", true]);
  });

  test("every code from 0 to 5000 of a server is told, or fails the connection", async ({ WebSocket, url, step }) => {
    const all = [];
    for (let code = 0; code <= 5000; code += step) all.push(code);
    for (let from = 0; from < all.length; from += 100) {
      const codes = all.slice(from, from + 100);
      await Promise.all(
        codes.map(async (code) => {
          const { names, close } = await toTheEnd(new WebSocket(`${url}/raw?hex=${closeFrame(code)}&then=end`));
          const expected = mayBeSent(code) ? [["open 1", "close 3"], [code, "", true]] : [["open 1", "error 3", "close 3"], [1006, "", false]];
          same([names, told(close)], expected, String(code));
        }),
      );
    }
  });

  test("a reason is decoded, and fails the connection where it is not UTF-8", async ({ WebSocket, url }) => {
    const encode = (text) => [...new TextEncoder().encode(text)];
    for (const reason of ["", "bye", "\u00e9 \u20ac \u{1f600}", "x".repeat(123), "\ufeffmark"]) {
      const { close } = await toTheEnd(new WebSocket(`${url}/raw?hex=${closeFrame(4000, encode(reason))}&then=end`));
      same(told(close), [4000, reason, true]);
    }
    for (const reason of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80]]) {
      const { close } = await toTheEnd(new WebSocket(`${url}/raw?hex=${closeFrame(4000, reason)}&then=end`));
      same(told(close), [1006, "", false]);
    }
  });

  test("whatever a server breaks of the protocol is an error and 1006", async ({ WebSocket, url }) => {
    for (const [what, bytes] of [
      ["a masked frame", [0x81, 0x81, 0, 0, 0, 0, 0x61]],
      ["RSV1 without an extension", [0xc1, 0]],
      ["RSV2", [0xa1, 0]],
      ["RSV3", [0x91, 0]],
      ["a reserved opcode", [0x83, 0]],
      ["a reserved control opcode", [0x8b, 0]],
      ["a continuation of nothing", [0x80, 0]],
      ["a message within a message", [0x01, 0, 0x81, 0]],
      ["a ping in pieces", [0x09, 0]],
      ["a ping of 126 bytes", [0x89, 126, 0, 126, ...Array(126).fill(0)]],
      ["a Close of one byte", [0x88, 1, 3]],
      ["a text that is not UTF-8", [0x81, 1, 0xff]],
      ["a text that ends inside a character", [0x81, 1, 0xc3]],
      ["a length of 64 bits with the highest set", [0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0]],
    ]) {
      const { names, close } = await toTheEnd(new WebSocket(`${url}/raw?hex=${hex(...bytes)}`));
      same(names, ["open 1", "error 3", "close 3"], what);
      same(told(close), [1006, "", false], what);
    }
  });

  test("a connection that ends without a Close frame is an error and 1006", async ({ WebSocket, url, secureUrl }) => {
    for (const server of [url, secureUrl]) {
      for (const then of ["end", "destroy", "reset"]) {
        for (const bytes of ["", hex(0x81, 5, 72), hex(0x01, 1, 72)]) {
          const { names, close } = await toTheEnd(new WebSocket(`${server}/raw?hex=${bytes}&then=${then}`));
          same(names.filter((name) => name !== "open 1"), ["error 3", "close 3"], `${then} of ${server}`);
          same(told(close), [1006, "", false]);
        }
      }
    }
  });

  test("both sides may close at the same time: each gets the other's code", async ({ WebSocket, url }) => {
    const socket = await opened(WebSocket, `${url}/cross`);
    const ended = toTheEnd(socket);
    socket.send("close now");
    socket.close(4004, "ours");
    const { names, close } = await ended;
    same(names, ["close 3"]);
    // The server starts before it has seen ours, or answers it.
    ok(close.wasClean && [4003, 4004].includes(close.code), String(close.code));
  });

  test("messages that come after close() was called are not told", async ({ WebSocket, url }) => {
    const socket = new WebSocket(`${url}/many?count=100`);
    const got = [];
    socket.onmessage = ({ data }) => {
      got.push(data);
      socket.close();
    };
    const close = await next(socket, "close");
    same(got, ["0"]);
    equal(close.wasClean, true);
  });

  test("close() in a handler of open or message closes", async ({ WebSocket, url }) => {
    const socket = new WebSocket(`${url}/echo`);
    socket.onopen = () => socket.close(3000);
    const { names, close } = await toTheEnd(socket);
    same(names, ["open 2", "close 3"]);
    same(told(close), [3000, "", true]);
  });

  test("one event is one task: microtasks of one come before the next", async ({ WebSocket, url }) => {
    const socket = new WebSocket(`${url}/many?count=100`);
    const order = [];
    socket.onopen = () => queueMicrotask(() => order.push("after open"));
    socket.onmessage = ({ data }) => {
      order.push(data);
      Promise.resolve().then(() => Promise.resolve()).then(() => order.push(`after ${data}`));
    };
    const close = await next(socket, "close");
    const expected = ["after open"];
    for (let i = 0; i < 100; i++) expected.push(String(i), `after ${i}`);
    same(order, expected);
    same(told(close), [4002, "that was it", true]);
  });

  test("error and close are of one task", async ({ WebSocket, url }) => {
    const socket = new WebSocket(`${url}/refuse?how=nothing`);
    const order = [];
    socket.onerror = () => {
      order.push("error");
      setTimeout(() => order.push("a later task"));
    };
    socket.onclose = () => order.push("close");
    await next(socket, "close");
    same(order, ["error", "close"]);
  });

  test("a listener that throws stops no other", async ({ WebSocket, url, quietly }) => {
    await quietly(async () => {
      const socket = new WebSocket(`${url}/send?text=a&code=1000`);
      const order = [];
      socket.onopen = () => {
        throw new Error("expected by a test");
      };
      socket.addEventListener("open", () => order.push("open"));
      socket.onmessage = () => order.push("message");
      await next(socket, "close");
      same(order, ["open", "message"]);
    });
  });
};
