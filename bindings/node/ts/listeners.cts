// The events of a browser's WebSocket on an EventEmitter: addEventListener and the
// attributes onopen, onmessage, onerror and onclose.

import type { EventEmitter } from "node:events";

import { usvString } from "./webidl.cjs";

/** What listeners of `addEventListener` get. */
export interface SocketEvent<T> {
  readonly type: string;
  readonly target: T;
}

export interface SocketMessageEvent<T> extends SocketEvent<T> {
  readonly data: unknown;
}

export interface SocketCloseEvent<T> extends SocketEvent<T> {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}

export interface SocketErrorEvent<T> extends SocketEvent<T> {
  readonly error: Error;
  readonly message: string;
}

export interface SocketEvents<T> {
  open: SocketEvent<T>;
  message: SocketMessageEvent<T>;
  close: SocketCloseEvent<T>;
  error: SocketErrorEvent<T>;
}

export type SocketListener<T, K extends keyof SocketEvents<T>> =
  | ((event: SocketEvents<T>[K]) => void)
  | { handleEvent(event: SocketEvents<T>[K]): void };

// Listeners of an EventEmitter take what the event has.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Any = (...args: any[]) => void;

/** What a listener of the EventEmitter was made of. */
const MADE_OF = Symbol("made of");

interface Made extends Any {
  [MADE_OF]?: { listener: unknown; attribute: boolean };
}

/** Listeners that get events, on a target whose listeners get values. */
export class Listeners<T extends EventEmitter> {
  readonly #target: T;

  constructor(target: T) {
    this.#target = target;
  }

  add(type: string, listener: unknown, once: boolean, attribute = false): void {
    const wrapper = this.#wrapper(type, listener);
    if (!wrapper || this.#find(type, listener, attribute)) return;
    const made: Made = once
      ? (...args) => {
          this.#target.off(type, made);
          wrapper(...args);
        }
      : wrapper;
    made[MADE_OF] = { listener, attribute };
    this.#target.on(type, made);
  }

  remove(type: string, listener: unknown, attribute = false): void {
    const made = this.#find(type, listener, attribute);
    if (made) this.#target.off(type, made);
  }

  /** The value of an event handler attribute. */
  attribute(type: string): unknown {
    const made = this.#all(type).find((made) => made[MADE_OF]?.attribute);
    return made?.[MADE_OF]?.listener ?? null;
  }

  setAttribute(type: string, value: unknown): void {
    const before = this.attribute(type);
    if (before !== null) this.remove(type, before, true);
    if (typeof value === "function") this.add(type, value, false, true);
  }

  #all(type: string): Made[] {
    return this.#target.listeners(type) as Made[];
  }

  #find(type: string, listener: unknown, attribute: boolean): Made | undefined {
    return this.#all(type).find((made) => {
      const of = made[MADE_OF];
      return of !== undefined && of.listener === listener && of.attribute === attribute;
    });
  }

  #wrapper(type: string, listener: unknown): Any | undefined {
    const target = this.#target;
    const call = (event: SocketEvent<T>): void => {
      if (typeof listener === "function") listener.call(target, event);
      else (listener as { handleEvent(event: unknown): void }).handleEvent(event);
    };
    switch (type) {
      case "open":
        return () => call({ type, target });
      case "message":
        return (data: unknown, isBinary: boolean) => {
          const event = { type, target, data: isBinary ? data : String(data) };
          call(event);
        };
      case "close":
        return (code: number, reason: Buffer) => {
          const event = { type, target, code, reason: reason.toString(), wasClean: code !== 1006 };
          call(event);
        };
      case "error":
        return (error: Error) => {
          const event = { type, target, error, message: usvString(error.message) };
          call(event);
        };
      default:
        return undefined;
    }
  }
}
