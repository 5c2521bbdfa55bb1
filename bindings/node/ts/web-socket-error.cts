// The WebSocketError interface (https://websockets.spec.whatwg.org/#the-websocketerror-interface).

import { native, throwing } from "./native.cjs";
import { describe, dictionary, domString, enforcedUnsignedShort, usvString } from "./webidl.cjs";

/** How a WebSocketStream is closed, or was. */
export interface WebSocketCloseInfo {
  closeCode?: number;
  reason?: string;
}

/** A dictionary's members, in the order in which Web IDL reads them. */
export function closeInfo(value: unknown, what: string): [number | undefined, string] {
  const info = dictionary(value, what);
  const code = info["closeCode"];
  const closeCode = code === undefined ? undefined : enforcedUnsignedShort(code, what);
  const reason = info["reason"];
  return [closeCode, reason === undefined ? "" : usvString(reason)];
}

/** The close code and the reason of a WebSocketError; of anything else, none. @internal */
export let closeOf: (value: unknown) => [closeCode: number | undefined, reason: string];

/** Marks errors that tell what the protocol said, whose codes no program may give. */
const TOLD = Symbol();

export class WebSocketError extends DOMException {
  readonly #closeCode: number | null;
  readonly #reason: string;

  constructor(message?: string, init?: WebSocketCloseInfo);
  constructor(message: unknown = "", init: unknown = {}, told?: unknown) {
    super(domString(message), "WebSocketError");
    const [closeCode, reason] = closeInfo(init, "WebSocketError");
    this.#closeCode =
      told === TOLD
        ? closeCode ?? null
        : throwing(() => native.checkClose(closeCode, reason)) ?? null;
    this.#reason = reason;
  }

  get closeCode(): number | null {
    return this.#closeCode;
  }

  get reason(): string {
    return this.#reason;
  }

  static {
    closeOf = (value) =>
      typeof value === "object" && value !== null && #reason in value
        ? [value.#closeCode ?? undefined, value.#reason]
        : [undefined, ""];
  }
}

/** An error with what the protocol told. @internal */
export function toldError(message: string, closeCode: number | undefined, reason: string): WebSocketError {
  const init = { reason, ...(closeCode === undefined ? {} : { closeCode }) };
  const construct = WebSocketError as unknown as new (...args: unknown[]) => WebSocketError;
  return new construct(message, init, TOLD);
}

Object.defineProperty(WebSocketError, "length", { value: 0, configurable: true });
describe(WebSocketError, "WebSocketError", ["closeCode", "reason"]);
