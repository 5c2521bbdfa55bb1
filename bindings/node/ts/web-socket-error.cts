// The WebSocketError interface (https://websockets.spec.whatwg.org/#the-websocketerror-interface).

import { native, throwing } from "./native.cjs";
import { describe, domString, enforcedUnsignedShort, usvString } from "./webidl.cjs";

/** How a WebSocketStream is closed, or was. */
export interface WebSocketCloseInfo {
  closeCode?: number;
  reason?: string;
}

/** A dictionary's members, in the order in which Web IDL reads them. */
export function closeInfo(value: unknown, what: string): [number | undefined, string] {
  if (value === undefined || value === null) return [undefined, ""];
  if (typeof value !== "object" && typeof value !== "function") {
    throw new TypeError(`${what}: expected a dictionary, got ${typeof value}`);
  }
  const info = value as Record<string, unknown>;
  const code = info["closeCode"];
  const closeCode = code === undefined ? undefined : enforcedUnsignedShort(code, what);
  const reason = info["reason"];
  return [closeCode, reason === undefined ? "" : usvString(reason)];
}

/** Whether a value is one, made by this class. @internal */
export let isWebSocketError: (value: unknown) => value is WebSocketError;

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
    isWebSocketError = (value): value is WebSocketError =>
      typeof value === "object" && value !== null && #reason in value;
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
