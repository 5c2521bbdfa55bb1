// Conversions of Web IDL (https://webidl.spec.whatwg.org/#js-type-mapping).

import { types } from "node:util";

/** USVString: a string whose lone surrogates are replaced. */
export function usvString(value: unknown): string {
  return domString(value).toWellFormed();
}

/** DOMString. A symbol is a TypeError. */
export function domString(value: unknown): string {
  return `${value as string}`;
}

/** [Clamp] unsigned short: the nearest integer, ties to even, from 0 to 65535. */
export function clampedUnsignedShort(value: unknown): number {
  const number = +(value as number);
  if (Number.isNaN(number)) return 0;
  const clamped = Math.min(Math.max(number, 0), 65535);
  const floor = Math.floor(clamped);
  const rest = clamped - floor;
  if (rest < 0.5) return floor;
  if (rest > 0.5) return floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** [EnforceRange] unsigned short. */
export function enforcedUnsignedShort(value: unknown, what: string): number {
  const number = +(value as number);
  if (!Number.isFinite(number)) {
    throw new TypeError(`${what}: expected a finite number, got ${String(value)}`);
  }
  const integer = Math.trunc(number) + 0;
  if (integer < 0 || integer > 65535) {
    throw new TypeError(`${what}: expected an integer from 0 to 65535, got ${integer}`);
  }
  return integer;
}

/**
 * A sequence, from an object that has an iterator; undefined where it has none. The
 * iterator is asked for once.
 */
export function sequence<T>(value: unknown, convert: (item: unknown) => T): T[] | undefined {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) {
    return undefined;
  }
  const method = (value as { [Symbol.iterator]?: unknown })[Symbol.iterator];
  if (method === undefined || method === null) return undefined;
  if (typeof method !== "function") {
    throw new TypeError("expected @@iterator to be a function");
  }
  const iterator = method.bind(value) as () => Iterator<unknown>;
  return Array.from({ [Symbol.iterator]: iterator }, (item) => convert(item));
}

/** Whether a value is an ArrayBuffer or a view, of whatever realm. */
export function isBufferSource(value: unknown): value is ArrayBuffer | ArrayBufferView {
  return ArrayBuffer.isView(value) || types.isArrayBuffer(value);
}

/**
 * The bytes of a BufferSource: of a view those that it shows, of a detached buffer none.
 * Shared ones are no BufferSource.
 */
export function bytesOf(source: ArrayBuffer | ArrayBufferView): Uint8Array {
  if (ArrayBuffer.isView(source) && types.isSharedArrayBuffer(source.buffer)) {
    throw new TypeError("expected a view of an ArrayBuffer, got one of a SharedArrayBuffer");
  }
  try {
    if (ArrayBuffer.isView(source)) {
      return new Uint8Array(source.buffer as ArrayBuffer, source.byteOffset, source.byteLength);
    }
    return new Uint8Array(source);
  } catch {
    return new Uint8Array(0);
  }
}

/** What a class shows of itself: its members enumerable, its name in toString(). */
export function describe(constructor: Function, name: string, members: string[]): void {
  const prototype = constructor.prototype as object;
  for (const member of members) {
    const descriptor = Object.getOwnPropertyDescriptor(prototype, member);
    if (descriptor) Object.defineProperty(prototype, member, { ...descriptor, enumerable: true });
  }
  Object.defineProperty(prototype, Symbol.toStringTag, { value: name, configurable: true });
}

/** Constants, on the interface object and on its prototype. */
export function constants(constructor: Function, values: Record<string, number>): void {
  for (const [name, value] of Object.entries(values)) {
    const descriptor = { value, enumerable: true };
    Object.defineProperty(constructor, name, descriptor);
    Object.defineProperty(constructor.prototype, name, descriptor);
  }
}
