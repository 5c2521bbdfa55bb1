// Section 3.1: close().

import { equal, next, opened, same, throws, toTheEnd, told, unique } from "./harness.mjs";

const mayBeGiven = (code) => code === 1000 || (code >= 3000 && code <= 4999);

export default (test) => {
  test("every code from 0 to 5000 is judged, whatever the state", async ({ WebSocket, url }) => {
    const open = await opened(WebSocket, `${url}/echo`);
    const closed = await opened(WebSocket, `${url}/echo`);
    closed.close();
    await next(closed, "close");
    // Others would wait for this one.
    const connecting = new WebSocket(`${url}/silent`);
    for (const socket of [connecting, open, closed]) {
      const state = socket.readyState;
      for (let code = 0; code <= 5000; code++) {
        if (!mayBeGiven(code)) throws(() => socket.close(code), "InvalidAccessError", String(code));
      }
      equal(socket.readyState, state);
    }
    for (const socket of [connecting, open, closed]) {
      for (let code = 0; code <= 5000; code++) {
        if (mayBeGiven(code)) socket.close(code);
      }
    }
    same([connecting.readyState, open.readyState, closed.readyState], [2, 2, 3]);
  });

  test("a code is clamped before it is judged", ({ WebSocket, url }) => {
    const socket = new WebSocket(`${url}/silent`);
    for (const code of [
      -1, NaN, null, "x", 999.4, 5000.4, 70_000, 66_536, Infinity, -Infinity, {}, [], false, true,
      0x10000 + 1000, "0x3e9",
    ]) {
      throws(() => socket.close(code), "InvalidAccessError", String(code));
    }
    throws(() => socket.close(Symbol("x")), TypeError);
    throws(() => socket.close(1000n), TypeError);
    equal(socket.readyState, 0);
    for (const code of [1000, 3000, 4999, "3000", "0x3e8", [4000], 1000.4, 4999.4, undefined]) socket.close(code);
    equal(socket.readyState, 2);
  });

  test("a code is rounded to the nearest, and to an even one between two", ({ WebSocket, url }) => {
    const socket = new WebSocket(`${url}/silent`);
    try {
      for (const code of [1000.6, 4999.6, 2999.4, 4999.5]) throws(() => socket.close(code), "InvalidAccessError", String(code));
      for (const code of [999.6, 1000.5, 2999.5]) socket.close(code);
      equal(socket.readyState, 2);
    } finally {
      socket.close();
    }
  });

  test("a reason may be given without a code, which is 1000 then", async ({ WebSocket, url, recorded }) => {
    const id = unique();
    const socket = await opened(WebSocket, `${url}/record?id=${id}`);
    throws(() => socket.close(undefined, "x".repeat(124)), "SyntaxError");
    socket.close(undefined, "why");
    same(told(await next(socket, "close")), [1000, "why", true]);
    const seen = await recorded(id);
    same([seen.code, seen.reason], [1000, "why"]);
    const other = await opened(WebSocket, `${url}/echo`);
    other.close(undefined, "");
    same(told(await next(other, "close")), [1005, "", true]);
  });

  test("a reason is at most 123 bytes in UTF-8", ({ WebSocket, url }) => {
    const socket = new WebSocket(`${url}/silent`);
    for (const reason of [
      "x".repeat(124), "\u00e9".repeat(62), "\u20ac".repeat(42), "\u{1f600}".repeat(31), "\ud800".repeat(42),
      `${"x".repeat(122)}\u00e9`,
    ]) {
      throws(() => socket.close(1000, reason), "SyntaxError", reason);
    }
    equal(socket.readyState, 0);
    throws(() => socket.close(1000, Symbol("x")), TypeError);
    // The code is judged first.
    throws(() => socket.close(1001, "x".repeat(124)), "InvalidAccessError");
    for (const reason of ["x".repeat(123), "\u00e9".repeat(61), "\u20ac".repeat(41), "\ud800".repeat(41), "", undefined, null, 7]) {
      socket.close(1000, reason);
    }
  });

  test("the server gets the code and the reason that were given", async ({ WebSocket, url, recorded }) => {
    for (const [args, code, reason] of [
      [[], 1005, ""],
      [[undefined], 1005, ""],
      [[1000], 1000, ""],
      [[1000, ""], 1000, ""],
      [[3000, "why"], 3000, "why"],
      [[4999, "\u00e9\ud800"], 4999, "\u00e9\ufffd"],
      [[3999, "\u20ac".repeat(41)], 3999, "\u20ac".repeat(41)],
      [[1000, null], 1000, "null"],
    ]) {
      const id = unique();
      const socket = await opened(WebSocket, `${url}/record?id=${id}`);
      const ended = toTheEnd(socket);
      socket.close(...args);
      equal(socket.readyState, 2);
      const { names, close } = await ended;
      same(names, ["close 3"]);
      const seen = await recorded(id);
      same([seen.code, seen.reason], [code, reason]);
      same(told(close), [code, reason, true]);
    }
  });

  test("every code that may be given is what server and program get", async ({ WebSocket, url, recorded, step }) => {
    const codes = [1000];
    for (let code = 3000; code <= 4999; code += step) codes.push(code);
    for (let from = 0; from < codes.length; from += 100) {
      await Promise.all(
        codes.slice(from, from + 100).map(async (code) => {
          const id = unique();
          const socket = await opened(WebSocket, `${url}/record?id=${id}`);
          socket.close(code, String(code));
          const close = await next(socket, "close");
          const seen = await recorded(id);
          same([seen.code, seen.reason, ...told(close)], [code, String(code), code, String(code), true]);
        }),
      );
    }
  });

  test("what was sent goes out before the close, blobs too, and nothing after it", async ({ WebSocket, url, recorded }) => {
    const id = unique();
    const socket = await opened(WebSocket, `${url}/record?id=${id}`);
    let messages = 0;
    socket.onmessage = () => messages++;
    socket.send("first");
    socket.send(new Blob(["blob"]));
    socket.send("last");
    socket.close(4000);
    equal(socket.readyState, 2);
    socket.close(4001);
    socket.send("too late");
    const close = await next(socket, "close");
    const seen = await recorded(id);
    same(seen.messages, [["first", false], ["626c6f62", true], ["last", false]]);
    same([seen.code, ...told(close), messages], [4000, 4000, "", true, 0]);
  });

  test("closing while connecting fails the connection, in a later task", async ({ WebSocket, url }) => {
    for (const path of ["/silent", "/echo"]) {
      const socket = new WebSocket(`${url}${path}`);
      const ended = toTheEnd(socket);
      socket.close(1000, "never mind");
      equal(socket.readyState, 2);
      const { names, close } = await ended;
      same(names, ["error 3", "close 3"]);
      same(told(close), [1006, "", false]);
    }
  });

  test("closing again, or when closed, does nothing", async ({ WebSocket, url }) => {
    const socket = await opened(WebSocket, `${url}/echo`);
    socket.close(3001, "one");
    socket.close(3002, "two");
    const close = await next(socket, "close");
    same(told(close), [3001, "one", true]);
    socket.close(3003, "three");
    equal(socket.readyState, 3);
  });
};
