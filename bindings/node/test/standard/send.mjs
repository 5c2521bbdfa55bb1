// Section 3.1: send(), bufferedAmount and binaryType.

import { equal, next, ok, opened, same, throws, turn } from "./harness.mjs";

export default (test) => {
  test("what is sent while connecting is an InvalidStateError", ({ WebSocket, url }) => {
    const socket = new WebSocket(`${url}/silent`);
    for (const data of ["text", new Uint8Array(1), new ArrayBuffer(1), new Blob(["x"])]) {
      throws(() => socket.send(data), "InvalidStateError");
    }
    throws(() => socket.send(), TypeError);
    throws(() => socket.send(Symbol("x")), TypeError);
    throws(() => socket.send({ toString: () => { throw new RangeError("mine"); } }), RangeError);
    equal(socket.bufferedAmount, 0);
    socket.close();
  });

  test("each type of data arrives as what it is, in order", async ({ WebSocket, url }) => {
    const socket = await opened(WebSocket, `${url}/echo`);
    const bytes = new Uint8Array([0, 1, 2, 3, 4, 5, 6, 7]);
    const letters = [...new TextEncoder().encode("blob \0")];
    const cases = [
      ["", ""],
      ["text", "text"],
      ["\u00e9 \u20ac \u{1f600}", "\u00e9 \u20ac \u{1f600}"],
      ["lone \ud800 and \udc00", "lone \ufffd and \ufffd"],
      ["\ufeffa mark", "\ufeffa mark"],
      [null, "null"],
      [undefined, "undefined"],
      [42, "42"],
      [{ toString: () => "object" }, "object"],
      [["a", "b"], "a,b"],
      [new Date(NaN), "Invalid Date"],
      [new ArrayBuffer(0), []],
      [bytes, [...bytes]],
      [bytes.buffer, [...bytes]],
      [bytes.subarray(2, 5), [2, 3, 4]],
      [new DataView(bytes.buffer, 6), [6, 7]],
      [new DataView(bytes.buffer, 1, 2), [1, 2]],
      [new Int8Array(bytes.buffer, 1, 1), [1]],
      [new Uint8ClampedArray(bytes.buffer, 7), [7]],
      [new Uint16Array(bytes.buffer, 2, 2), [2, 3, 4, 5]],
      [new Int16Array(bytes.buffer, 0, 1), [0, 1]],
      [new Uint32Array(bytes.buffer, 4), [4, 5, 6, 7]],
      [new Int32Array(bytes.buffer, 4, 1), [4, 5, 6, 7]],
      [new Float32Array(bytes.buffer, 4, 1), [4, 5, 6, 7]],
      [new Float64Array(bytes.buffer), [...bytes]],
      [new BigInt64Array(bytes.buffer), [...bytes]],
      [new BigUint64Array(bytes.buffer), [...bytes]],
      [new Blob(["blob ", bytes.subarray(0, 1)]), letters],
      ["behind a blob", "behind a blob"],
      [new Blob([]), []],
      [bytes.subarray(7), [7]],
    ];
    const got = [];
    const all = new Promise((resolve) => {
      socket.onmessage = ({ data }) => {
        got.push(typeof data === "string" ? data : [...new Uint8Array(data)]);
        if (got.length === cases.length) resolve();
      };
    });
    for (const [data] of cases) socket.send(data);
    await all;
    for (const [i, [, back]] of cases.entries()) same([got[i]], [back], `case ${i}`);
    socket.close();
  });

  test("a detached buffer has no bytes, and a shared one is a TypeError", async ({ WebSocket, url, SharedArrayBuffer }) => {
    const socket = await opened(WebSocket, `${url}/echo`);
    const detached = new Uint8Array(3);
    structuredClone(null, { transfer: [detached.buffer] });
    for (const data of [detached, detached.buffer]) {
      socket.send(data);
      equal((await next(socket, "message")).data.byteLength, 0);
    }
    if (SharedArrayBuffer) {
      throws(() => socket.send(new Uint8Array(new SharedArrayBuffer(4))), TypeError);
    }
    socket.close();
  });

  test("data is that of the moment of sending", async ({ WebSocket, url }) => {
    const socket = await opened(WebSocket, `${url}/echo`);
    const bytes = new Uint8Array([1, 2, 3]);
    socket.send(bytes);
    bytes.fill(9);
    same([...new Uint8Array((await next(socket, "message")).data)], [1, 2, 3]);
    // Also behind a blob that has to be read first.
    socket.send(new Blob(["x"]));
    socket.send(bytes);
    bytes.fill(0);
    await next(socket, "message");
    same([...new Uint8Array((await next(socket, "message")).data)], [9, 9, 9]);
    socket.close();
  });

  test("bufferedAmount counts payload to the end of the turn, whatever the network takes", async ({ WebSocket, url }) => {
    const socket = await opened(WebSocket, `${url}/echo`);
    socket.send("\u00e9");
    equal(socket.bufferedAmount, 2);
    socket.send("\ud800");
    equal(socket.bufferedAmount, 5);
    socket.send(new Uint8Array(100).subarray(40));
    equal(socket.bufferedAmount, 65);
    socket.send(new Blob(["four"]));
    equal(socket.bufferedAmount, 69);
    await Promise.resolve();
    equal(socket.bufferedAmount, 69);
    while (socket.bufferedAmount > 0) await turn();
    socket.close();
  });

  test("bufferedAmount grows with what is sent while closing and closed, and never falls again", async ({ WebSocket, url }) => {
    const socket = await opened(WebSocket, `${url}/echo`);
    socket.close();
    equal(socket.readyState, 2);
    socket.send("lost");
    equal(socket.bufferedAmount, 4);
    await next(socket, "close");
    socket.send(new Uint8Array(3));
    socket.send(new Blob(["ab"]));
    equal(socket.bufferedAmount, 9);
    await turn();
    equal(socket.bufferedAmount, 9);
  });

  test("bufferedAmount of a large message falls to zero", async ({ WebSocket, url }) => {
    const socket = await opened(WebSocket, `${url}/record`);
    const size = 32 << 20;
    for (let i = 0; i < 3; i++) socket.send(new Uint8Array(size));
    equal(socket.bufferedAmount, 3 * size);
    let before = 3 * size;
    while (socket.bufferedAmount > 0) {
      ok(socket.bufferedAmount <= before, "it does not rise");
      before = socket.bufferedAmount;
      await turn();
    }
    socket.close();
    await next(socket, "close");
    equal(socket.bufferedAmount, 0);
  });

  test("a message event has data by the binaryType of its time, and the origin", async ({ WebSocket, MessageEvent, url }) => {
    const socket = await opened(WebSocket, `${url}/echo`);
    socket.binaryType = "blob";
    socket.send(new Uint8Array([1]));
    socket.send(new Uint8Array([2]));
    const first = await next(socket, "message");
    ok(first instanceof MessageEvent && first.data instanceof Blob);
    same([first.data.size, first.data.type, first.origin], [1, "", url]);
    same([first.lastEventId, first.source, first.ports.length, first.bubbles, first.cancelable], ["", null, 0, false, false]);
    socket.binaryType = "arraybuffer";
    const second = await next(socket, "message");
    same([...new Uint8Array(second.data)], [2]);
    socket.close();
  });
};
