// Section 5: WebSocketStream.

import { equal, ok, rejects, same, throws, turn, unique } from "./harness.mjs";

const isWebSocketError = (error, WebSocketError, closeCode, reason = "") => {
  ok(error instanceof WebSocketError, String(error));
  same([error.closeCode, error.reason], [closeCode, reason]);
};

/** A count that has not grown for a while. */
async function settled(count) {
  for (let before = -1; ; ) {
    const now = await count();
    if (now === before) return now;
    ok(now < 64 << 20, "nobody waits");
    before = now;
    for (let i = 0; i < 60; i++) await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export default (test) => {
  test("arguments are judged as those of a WebSocket", ({ WebSocketStream }) => {
    throws(() => new WebSocketStream(), TypeError);
    throws(() => WebSocketStream("ws://h.invalid"), TypeError);
    for (const url of ["ftp://h/", "ws://h/#", "ws://"]) throws(() => new WebSocketStream(url), "SyntaxError", url);
    for (const protocols of [["a", "a"], [""], ["a b"]]) {
      throws(() => new WebSocketStream("ws://h.invalid", { protocols }), "SyntaxError", String(protocols));
    }
    equal(WebSocketStream.length, 1);
    equal(WebSocketStream.prototype.close.length, 0);
    same(Object.keys(WebSocketStream.prototype).sort(), ["close", "closed", "opened", "url"]);
    equal(String(Object.create(WebSocketStream.prototype)), "[object WebSocketStream]");
  });

  test("the dictionary is converted, its members in their order", ({ WebSocketStream }) => {
    for (const options of [1, "x", { protocols: 1 }, { protocols: "chat" }, { protocols: {} }, { signal: {} }, { signal: null }]) {
      throws(() => new WebSocketStream("ws://h.invalid", options), TypeError, JSON.stringify(options));
    }
    for (const options of [undefined, null, {}, { protocols: ["a", "b"] }, { protocols: new Set() }, { signal: undefined }]) {
      const stream = new WebSocketStream("http://h.invalid/x", options);
      equal(stream.url, "ws://h.invalid/x");
      stream.opened.catch(() => {});
      stream.closed.catch(() => {});
      stream.close();
    }
    const read = [];
    const options = new Proxy({}, { get: (_, name) => void (typeof name === "string" && read.push(name)) });
    const stream = new WebSocketStream("ws://h.invalid", options);
    stream.opened.catch(() => {});
    stream.closed.catch(() => {});
    stream.close();
    same(read, ["protocols", "signal"]);
  });

  test("opened and closed are the same promises each time", async ({ WebSocketStream, url }) => {
    const stream = new WebSocketStream(`${url}/echo`);
    equal(stream.opened, stream.opened);
    equal(stream.closed, stream.closed);
    const { readable, writable, extensions, protocol } = await stream.opened;
    ok(readable instanceof ReadableStream && writable instanceof WritableStream);
    same([extensions, protocol], ["", ""]);
    stream.close();
    await stream.closed;
  });

  test("messages go both ways, each as what it is", async ({ WebSocketStream, url }) => {
    const stream = new WebSocketStream(`${url}/echo?protocol=chat`, { protocols: ["other", "chat"] });
    const { readable, writable, protocol } = await stream.opened;
    equal(protocol, "chat");
    const reader = readable.getReader();
    const writer = writable.getWriter();
    const bytes = new Uint8Array([1, 2, 3, 4]);
    for (const [chunk, back] of [
      ["text", "text"],
      ["", ""],
      ["\ud800", "\ufffd"],
      [7, "7"],
      [null, "null"],
      [{}, "[object Object]"],
      [bytes.subarray(1, 3), [2, 3]],
      [bytes.buffer, [1, 2, 3, 4]],
      [new DataView(bytes.buffer, 3), [4]],
    ]) {
      await writer.write(chunk);
      const { value, done } = await reader.read();
      equal(done, false);
      if (typeof back === "string") equal(value, back);
      else same([value.constructor, ...value], [Uint8Array, ...back]);
    }
    for (const size of [0, 126, 65_536, 1 << 20, 16 << 20]) {
      const writing = writer.write(new Uint8Array(size).fill(5));
      const { value } = await reader.read();
      await writing;
      equal(value.length, size);
      ok(value.every((byte) => byte === 5));
    }
    stream.close({ closeCode: 4000, reason: "done" });
    const info = await stream.closed;
    same([info.closeCode, info.reason, ...Object.keys(info)], [4000, "done", "closeCode", "reason"]);
    equal((await reader.read()).done, true);
  });

  test("a chunk that cannot be converted errors the writable, and nothing else", async ({ WebSocketStream, url }) => {
    const stream = new WebSocketStream(`${url}/send?text=still+here`);
    const { readable, writable } = await stream.opened;
    await rejects(writable.getWriter().write(Symbol("x")), TypeError);
    equal((await readable.getReader().read()).value, "still here");
    stream.close();
    await stream.closed;
  });

  test("data is that of the moment of writing", async ({ WebSocketStream, url }) => {
    const stream = new WebSocketStream(`${url}/echo`);
    const { readable, writable } = await stream.opened;
    const bytes = new Uint8Array([1, 2, 3]);
    const writer = writable.getWriter();
    await writer.ready;
    const writing = writer.write(bytes);
    bytes.fill(9);
    await writing;
    same([...(await readable.getReader().read()).value], [1, 2, 3]);
    stream.close();
    await stream.closed;
  });

  test("a signal that is aborted already opens nothing", async ({ WebSocketStream, url, recorded }) => {
    const stream = new WebSocketStream(`${url}/echo`, { signal: AbortSignal.abort() });
    await rejects(stream.opened, "AbortError");
    await rejects(stream.closed, "AbortError");
    const reason = { mine: true };
    const other = new WebSocketStream(`${url}/echo`, { signal: AbortSignal.abort(reason) });
    await rejects(other.opened, reason);
    await rejects(other.closed, reason);
    // The URL is judged all the same.
    throws(() => new WebSocketStream("ftp://h", { signal: AbortSignal.abort() }), "SyntaxError");
  });

  test("a signal gives up a connection that is being opened, with its reason", async ({ WebSocketStream, url }) => {
    const controller = new AbortController();
    const stream = new WebSocketStream(`${url}/silent`, { signal: controller.signal });
    for (let i = 0; i < 5; i++) await turn();
    const reason = new RangeError("mine");
    controller.abort(reason);
    await rejects(stream.opened, reason);
    await rejects(stream.closed, reason);
    stream.close();
    // At once, before anything could be opened.
    const early = new AbortController();
    const second = new WebSocketStream(`${url}/echo`, { signal: early.signal });
    early.abort();
    await rejects(second.opened, "AbortError");
    await rejects(second.closed, "AbortError");
  });

  test("a signal means nothing once the connection is established", async ({ WebSocketStream, url }) => {
    const controller = new AbortController();
    const stream = new WebSocketStream(`${url}/echo`, { signal: controller.signal });
    const { readable, writable } = await stream.opened;
    controller.abort();
    await writable.getWriter().write("still here");
    equal((await readable.getReader().read()).value, "still here");
    stream.close();
    same([(await stream.closed).closeCode], [1005]);
  });

  test("a connection that is never established rejects both, and says nothing of why", async ({ WebSocketStream, WebSocketError, url, refusals }) => {
    for (const how of refusals) {
      const stream = new WebSocketStream(`${url}/refuse?how=${encodeURIComponent(how)}`);
      isWebSocketError(await rejects(stream.opened, WebSocketError), WebSocketError, null);
      await rejects(stream.closed, WebSocketError);
    }
    for (const address of ["ws://host.invalid/", "ws://127.0.0.1:6667/"]) {
      const stream = new WebSocketStream(address);
      isWebSocketError(await rejects(stream.opened, WebSocketError), WebSocketError, null);
      await rejects(stream.closed, WebSocketError);
    }
  });

  test("closing before it is established rejects both", async ({ WebSocketStream, WebSocketError, url }) => {
    const stream = new WebSocketStream(`${url}/silent`);
    stream.close({ closeCode: 4000 });
    await rejects(stream.opened, WebSocketError);
    await rejects(stream.closed, WebSocketError);
  });

  test("codes and reasons are judged", async ({ WebSocketStream, url }) => {
    const stream = new WebSocketStream(`${url}/silent`);
    stream.opened.catch(() => {});
    stream.closed.catch(() => {});
    for (let closeCode = 0; closeCode <= 5000; closeCode++) {
      if (closeCode !== 1000 && (closeCode < 3000 || closeCode > 4999)) {
        throws(() => stream.close({ closeCode }), "InvalidAccessError", String(closeCode));
      }
    }
    for (const closeCode of [-1, 65_536, NaN, Infinity, "x"]) throws(() => stream.close({ closeCode }), TypeError, String(closeCode));
    throws(() => stream.close(1000), TypeError);
    throws(() => stream.close({ reason: "\u00e9".repeat(62) }), "SyntaxError");
    stream.close({ closeCode: 1000, reason: "x".repeat(123) });
  });

  test("each way to end it sends the Close frame that it should", async ({ WebSocketStream, WebSocketError, url, recorded }) => {
    const error = (init) => new WebSocketError("", init);
    for (const [way, code, reason] of [
      [(s) => s.close(), 1005, ""],
      [(s) => s.close({}), 1005, ""],
      [(s) => s.close({ closeCode: 3000, reason: "x" }), 3000, "x"],
      [(s) => s.close({ closeCode: 4999 }), 4999, ""],
      [(s) => s.close({ reason: "x" }), 1000, "x"],
      [(s, { readable }) => readable.cancel(), 1005, ""],
      [(s, { readable }) => readable.getReader().cancel(), 1005, ""],
      [(s, { readable }) => readable.cancel(error({ closeCode: 4001, reason: "r" })), 4001, "r"],
      [(s, { readable }) => readable.cancel(error({})), 1005, ""],
      [(s, { readable }) => readable.cancel(new DOMException("other", "WebSocketError")), 1005, ""],
      [(s, { readable }) => readable.cancel({ closeCode: 4001, reason: "no such error" }), 1005, ""],
      [(s, { writable }) => writable.abort(), 1005, ""],
      [(s, { writable }) => writable.abort(error({ reason: "r" })), 1000, "r"],
      [(s, { writable }) => writable.getWriter().abort(error({ closeCode: 3456, reason: "w" })), 3456, "w"],
      [(s, { writable }) => writable.abort({ closeCode: 4001, reason: "no such error" }), 1005, ""],
      [(s, { writable }) => writable.close(), 1005, ""],
      [(s, { writable }) => writable.getWriter().close(), 1005, ""],
    ]) {
      const id = unique();
      const stream = new WebSocketStream(`${url}/record?id=${id}`);
      const opened = await stream.opened;
      await way(stream, opened);
      const seen = await recorded(id);
      same([seen.code, seen.reason], [code, reason], String(way));
      const info = await stream.closed;
      same([info.closeCode, info.reason], [code, reason], String(way));
      stream.close({ closeCode: 4000 });
    }
  });

  test("what was written goes out before the close", async ({ WebSocketStream, url, recorded }) => {
    const id = unique();
    const stream = new WebSocketStream(`${url}/record?id=${id}`);
    const { writable } = await stream.opened;
    const writer = writable.getWriter();
    for (const chunk of ["one", "two", "three"]) writer.write(chunk);
    await writer.close();
    const seen = await recorded(id);
    same(seen.messages, [["one", false], ["two", false], ["three", false]]);
    await stream.closed;
  });

  test("messages that are unread when the server closes are read before the end", async ({ WebSocketStream, url }) => {
    const stream = new WebSocketStream(`${url}/many?count=500`);
    const { readable, writable } = await stream.opened;
    const got = [];
    const reader = readable.getReader();
    for (let next = await reader.read(); !next.done; next = await reader.read()) got.push(next.value);
    same(got, Array.from({ length: 500 }, (_, i) => String(i)));
    const info = await stream.closed;
    same([info.closeCode, info.reason], [4002, "that was it"]);
    await rejects(writable.getWriter().write("late"), "InvalidStateError");
  });

  test("an end without a closing handshake is one error to all", async ({ WebSocketStream, WebSocketError, url }) => {
    for (const then of ["end", "destroy", "reset"]) {
      const stream = new WebSocketStream(`${url}/raw?hex=810161&wait=1&then=${then}`);
      const { readable, writable } = await stream.opened;
      const writer = writable.getWriter();
      writer.closed.catch(() => {});
      writer.write("go").catch(() => {});
      const reader = readable.getReader();
      reader.closed.catch(() => {});
      if (then !== "reset") equal((await reader.read()).value, "a");
      const error = await rejects(stream.closed, WebSocketError);
      isWebSocketError(error, WebSocketError, 1006);
      if (then !== "reset") equal(await rejects(reader.read(), WebSocketError), error);
      equal(await rejects(writer.write("late"), WebSocketError), error);
    }
  });

  test("who does not read makes the server stop sending", async ({ WebSocketStream, url, count }) => {
    const id = unique();
    const stream = new WebSocketStream(`${url}/pour?id=${id}`);
    const { readable } = await stream.opened;
    const before = await settled(() => count(id));
    const reader = readable.getReader();
    for (let got = 0; got <= before; ) got += (await reader.read()).value.byteLength;
    ok((await settled(() => count(id))) > before, "it goes on");
    await reader.cancel();
  });

  test("a server that does not read makes writes wait, until it is gone", async ({ WebSocketStream, WebSocketError, url, cut }) => {
    const stream = new WebSocketStream(`${url}/unread`);
    const { writable } = await stream.opened;
    const writer = writable.getWriter();
    writer.closed.catch(() => {});
    // What compression makes nothing of.
    const chunk = new Uint8Array(1 << 16);
    for (let i = 0; i < chunk.length; i += 16_384) crypto.getRandomValues(chunk.subarray(i, i + 16_384));
    let written = 0;
    const writing = (async () => {
      for (;;) {
        await writer.write(chunk);
        written += chunk.length;
      }
    })();
    writing.catch(() => {});
    await settled(() => written);
    await cut();
    isWebSocketError(await rejects(stream.closed, WebSocketError), WebSocketError, 1006);
    await rejects(writing, WebSocketError);
  });
};
