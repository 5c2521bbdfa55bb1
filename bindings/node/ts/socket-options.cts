// Options of a server's sockets, in the form that the native half takes.

import type { NativeSocketOptions } from "./native.cjs";

/** How messages are compressed (RFC 7692). */
export interface PerMessageDeflateOptions {
  /** Whether each message of the server's is compressed alone. */
  serverNoContextTakeover?: boolean | undefined;
  /** Whether each of the client's is. */
  clientNoContextTakeover?: boolean | undefined;
  /** The largest window as a power of two: 8 to 15, the default. */
  serverMaxWindowBits?: number | boolean | null | undefined;
  clientMaxWindowBits?: number | boolean | null | undefined;
  /** zlib's `level` (0 to 9: 6) and `memLevel` (1 to 9: 8). */
  zlibDeflateOptions?: { level?: number; memLevel?: number } | undefined;
  /** Messages of fewer bytes are not compressed: 1024. */
  threshold?: number | undefined;
}

/** Pings that find dead peers, times in milliseconds. */
export interface HeartbeatOptions {
  /** From one ping to the next: 20,000. */
  interval?: number | undefined;
  /** To answer one: 20,000. */
  timeout?: number | undefined;
}

interface Options {
  maxPayload: number;
  maxBufferedAmount?: number | undefined;
  perMessageDeflate?: boolean | PerMessageDeflateOptions | undefined;
  heartbeat?: HeartbeatOptions | false | undefined;
  closeTimeout?: number | undefined;
}

const MAX_BUFFERED_AMOUNT = 2 ** 30;
const THRESHOLD = 1024;

/** The most that a time in milliseconds may be. @internal */
export const MOST = 2 ** 31;

/** @internal */
export function number(name: string, value: unknown, least: number, most: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most) {
    throw new TypeError(`expected the option ${name} to be from ${least} to ${most}, got ${String(value)}`);
  }
  return value;
}

/** As `number`, but what is above the most, Infinity too, is that. */
function atMost(name: string, value: unknown, least: number, most: number): number {
  return number(name, typeof value === "number" ? Math.min(value, most) : value, least, most);
}

function windowBits(options: PerMessageDeflateOptions): number | undefined {
  const given = [options.serverMaxWindowBits, options.clientMaxWindowBits].filter(
    (bits) => bits !== undefined && typeof bits !== "boolean" && bits !== null,
  );
  if (given.length === 0) return undefined;
  return Math.min(...given.map((bits) => number("max window bits", bits, 8, 15)));
}

function compression(given: boolean | PerMessageDeflateOptions | undefined): NativeSocketOptions {
  if (!given) return {};
  const options = given === true ? {} : given;
  const alone = options.serverNoContextTakeover === true || options.clientNoContextTakeover === true;
  const result: NativeSocketOptions = {
    compression: alone ? "shared" : "dedicated",
    threshold: atMost("threshold", options.threshold ?? THRESHOLD, 0, MOST),
  };
  const bits = windowBits(options);
  if (bits !== undefined) result.windowBits = bits;
  const { level, memLevel } = options.zlibDeflateOptions ?? {};
  // 0 is to compress nothing, -1 what zlib takes by default.
  if (level === 0) return {};
  if (level !== undefined && level !== -1) result.level = number("level", level, 1, 9);
  if (memLevel !== undefined) result.memoryLevel = number("memLevel", memLevel, 1, 9);
  return result;
}

/** @internal */
export function heartbeatOptions(
  heartbeat: HeartbeatOptions | false | undefined,
): { heartbeatInterval?: number; heartbeatTimeout?: number } {
  if (heartbeat === false) return { heartbeatInterval: 0 };
  const { interval, timeout } = heartbeat ?? {};
  return {
    ...(interval !== undefined && { heartbeatInterval: number("heartbeat.interval", interval, 1, MOST) }),
    ...(timeout !== undefined && { heartbeatTimeout: number("heartbeat.timeout", timeout, 1, MOST) }),
  };
}

/** @internal */
export function nativeSocketOptions(options: Options): NativeSocketOptions {
  const most = Number.MAX_SAFE_INTEGER;
  const result: NativeSocketOptions = {
    // As with `ws`, 0 is no limit.
    maxPayload: atMost("maxPayload", options.maxPayload, 0, MOST) || MOST,
    maxBufferedAmount: atMost("maxBufferedAmount", options.maxBufferedAmount ?? MAX_BUFFERED_AMOUNT, 1, most),
    ...compression(options.perMessageDeflate),
  };
  const { heartbeat, closeTimeout } = options;
  if (closeTimeout !== undefined) result.closeTimeout = atMost("closeTimeout", closeTimeout, 0, MOST);
  return Object.assign(result, heartbeatOptions(heartbeat));
}
