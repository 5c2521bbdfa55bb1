// Conversions of Web IDL (https://webidl.spec.whatwg.org/#js-type-mapping).

import { Blob as NodeBlob } from "node:buffer";
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
    throw new TypeError(`${what}: expected a finite number, got ${number}`);
  }
  const integer = Math.trunc(number) + 0;
  if (integer < 0 || integer > 65535) {
    throw new TypeError(`${what}: expected an integer from 0 to 65535, got ${integer}`);
  }
  return integer;
}

/**
 * A sequence, from an object that has an iterator; undefined where it has none (Web IDL,
 * section 3.2.21). The iterator is asked for once, and never closed.
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
  const iterator: unknown = Reflect.apply(method, value, []);
  if (!isObject(iterator)) throw new TypeError("expected an iterator, got what is no object");
  const next = (iterator as Partial<Iterator<unknown>>).next;
  if (typeof next !== "function") throw new TypeError("expected an iterator with a method next");
  const items: T[] = [];
  for (;;) {
    const result: unknown = Reflect.apply(next, iterator, []);
    if (!isObject(result)) throw new TypeError("expected an iterator's result, got what is no object");
    if ((result as Partial<IteratorResult<unknown>>).done) return items;
    items.push(convert((result as Partial<IteratorResult<unknown>>).value));
  }
}

/** Whether a value is one of type Object. */
export function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/** A dictionary: undefined and null are an empty one. */
export function dictionary(value: unknown, what: string): Record<string, unknown> {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw new TypeError(`${what}: expected a dictionary, got ${typeof value}`);
  return value as Record<string, unknown>;
}

/** What a getter of a prototype gives, whatever scripts have put on the object. */
function getter<T, V>(prototype: object, name: string): (of: T) => V {
  const get = Object.getOwnPropertyDescriptor(prototype, name)?.get;
  return (of) => (get ? (Reflect.apply(get, of, []) as V) : (undefined as V));
}

const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object;
const parts = (prototype: object) => ({
  buffer: getter<ArrayBufferView, ArrayBufferLike>(prototype, "buffer"),
  byteOffset: getter<ArrayBufferView, number>(prototype, "byteOffset"),
  byteLength: getter<ArrayBufferView, number>(prototype, "byteLength"),
});
const ofTypedArray = parts(typedArray);
const ofDataView = parts(DataView.prototype);
const isResizable = getter<ArrayBuffer, boolean | undefined>(ArrayBuffer.prototype, "resizable");

const sizeOf = getter<Blob, number>(NodeBlob.prototype, "size");
const readBlob = NodeBlob.prototype.arrayBuffer;

/** The size of a Blob; undefined of what is none. */
export function blobSize(value: unknown): number | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  try {
    return sizeOf(value as Blob);
  } catch {
    return undefined;
  }
}

/** The bytes of a Blob. */
export async function blobBytes(blob: Blob): Promise<Uint8Array> {
  return new Uint8Array(await (Reflect.apply(readBlob, blob, []) as Promise<ArrayBuffer>));
}

/** Whether a value is an ArrayBuffer or a view, of whatever realm. */
export function isBufferSource(value: unknown): value is ArrayBuffer | ArrayBufferView {
  return ArrayBuffer.isView(value) || types.isArrayBuffer(value);
}

/**
 * The bytes of a BufferSource: of a view those that it shows, of a detached buffer none.
 * Shared ones are no BufferSource, and neither are those that may change their size.
 */
export function bytesOf(source: ArrayBuffer | ArrayBufferView): Uint8Array {
  let buffer = source as ArrayBuffer;
  let [offset, length]: [number, number | undefined] = [0, undefined];
  if (ArrayBuffer.isView(source)) {
    const of = types.isDataView(source) ? ofDataView : ofTypedArray;
    buffer = of.buffer(source) as ArrayBuffer;
    if (types.isSharedArrayBuffer(buffer)) {
      throw new TypeError("expected a view of an ArrayBuffer, got one of a SharedArrayBuffer");
    }
    try {
      [offset, length] = [of.byteOffset(source), of.byteLength(source)];
    } catch {
      return new Uint8Array(0);
    }
  }
  if (isResizable(buffer)) {
    throw new TypeError("expected an ArrayBuffer of one size, got one that is resizable");
  }
  try {
    return new Uint8Array(buffer, offset, length);
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
