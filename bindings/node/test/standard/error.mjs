// Section 5: WebSocketError.

import { equal, ok, same, throws } from "./harness.mjs";

export default (test) => {
  test("it is a DOMException with a code and a reason", ({ WebSocketError }) => {
    const bare = new WebSocketError();
    same([bare.name, bare.message, bare.code, bare.closeCode, bare.reason], ["WebSocketError", "", 0, null, ""]);
    ok(bare instanceof DOMException && bare instanceof Error);
    equal(new WebSocketError("m", { reason: "r" }).closeCode, 1000);
    equal(new WebSocketError("m", { closeCode: 4999 }).closeCode, 4999);
    equal(new WebSocketError("m", { closeCode: "3000" }).closeCode, 3000);
    equal(new WebSocketError("m", { closeCode: 3000.9 }).closeCode, 3000);
    equal(new WebSocketError(undefined, { reason: "\ud800" }).reason, "\ufffd");
    equal(new WebSocketError(undefined).message, "");
    equal(new WebSocketError(null).message, "null");
    equal(Object.prototype.toString.call(bare), "[object WebSocketError]");
    equal(WebSocketError.length, 0);
    equal(Object.getPrototypeOf(WebSocketError), DOMException);
    same(Object.keys(WebSocketError.prototype).sort(), ["closeCode", "reason"]);
    ok(typeof bare.stack === "string");
  });

  test("every code from 0 to 5000 is judged", ({ WebSocketError }) => {
    for (let closeCode = 0; closeCode <= 5000; closeCode++) {
      if (closeCode === 1000 || (closeCode >= 3000 && closeCode <= 4999)) {
        equal(new WebSocketError("", { closeCode }).closeCode, closeCode);
      } else {
        throws(() => new WebSocketError("", { closeCode }), "InvalidAccessError", String(closeCode));
      }
    }
    for (const closeCode of [-1, 65_536, NaN, Infinity, "x", Symbol("x"), 1000n, {}]) {
      throws(() => new WebSocketError("", { closeCode }), TypeError);
    }
    for (const closeCode of [null, false, [], ""]) {
      throws(() => new WebSocketError("", { closeCode }), "InvalidAccessError");
    }
  });

  test("a reason is at most 123 bytes in UTF-8", ({ WebSocketError }) => {
    for (const reason of ["x".repeat(124), "\u00e9".repeat(62), "\ud800".repeat(42)]) {
      throws(() => new WebSocketError("", { reason }), "SyntaxError");
      throws(() => new WebSocketError("", { closeCode: 4000, reason }), "SyntaxError");
    }
    for (const reason of ["x".repeat(123), "\u00e9".repeat(61), "\ud800".repeat(41)]) {
      new WebSocketError("", { reason });
    }
  });

  test("arguments are converted in their order", ({ WebSocketError }) => {
    throws(() => new WebSocketError(Symbol("x")), TypeError);
    for (const init of [1, "x", true]) throws(() => new WebSocketError("", init), TypeError);
    for (const init of [undefined, null, {}, [], () => {}]) equal(new WebSocketError("", init).closeCode, null);
    const read = [];
    new WebSocketError("", {
      get reason() {
        read.push("reason");
        return "";
      },
      get closeCode() {
        read.push("closeCode");
        return undefined;
      },
    });
    same(read, ["closeCode", "reason"]);
    throws(() => WebSocketError(), TypeError);
  });
};
