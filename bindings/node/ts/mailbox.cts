// What the native half has for sockets, and what is sent in a turn of the event loop.

import { markAsUntransferable } from "node:worker_threads";

import { native } from "./native.cjs";
import { flushAtExit } from "./turn.cjs";

/** What a letter says, as the native half knows it. */
export const enum Kind {
  Text = 0,
  Binary = 1,
  Ping = 2,
  Pong = 3,
  Closing = 4,
  Closed = 5,
  Failed = 6,
  Transmitted = 7,
  Write = 8,
  Resume = 9,
  End = 10,
  Destroy = 11,
}

/** Who letters are for. */
export interface Addressee {
  /** Called for each, in order. The payload may share its memory with others. */
  receive(kind: Kind, payload: Buffer, value: number): void;
  /**
   * Writes what was sent in this turn: here, or by another thread, which has then to be
   * told.
   */
  flush(here: boolean): boolean;
  /** Whether all that was sent has been written. */
  isWritten(): boolean;
}

/** Marks a letter whose payload is handed over as it is. */
const AS_IT_IS = 1 << 8;
const WORDS = 5;

/** Letters that are not many. */
const FEW = 4;

const addressees = new Map<number, Addressee>();
/** Sockets that are open: they keep the process alive. */
let open = 0;
let last = 0;

/** Letters that came together, and how many of them have been handed to their sockets. */
class Delivery {
  readonly #words: Uint32Array;
  readonly #together: ArrayBuffer;
  readonly #large: ArrayBuffer[];
  #at = 0;

  constructor(words: Uint32Array, together: ArrayBuffer, large: ArrayBuffer[]) {
    this.#words = words;
    this.#together = together;
    this.#large = large;
    // A listener may transfer what it gets: not away from the others.
    markAsUntransferable(together);
  }

  /** Whether so few have come that answers need not wait for each other. */
  get isSmall(): boolean {
    return this.#words.length <= FEW * WORDS;
  }

  /** Hands on those that are left. A listener may throw: its letter is handed on then. */
  deliver(): void {
    const words = this.#words;
    while (this.#at < words.length) {
      const at = this.#at;
      this.#at += WORDS;
      const kind = words[at + 1] as number;
      const place = words[at + 3] as number;
      const payload =
        kind & AS_IT_IS
          ? Buffer.from(this.#large[place] as ArrayBuffer)
          : Buffer.from(this.#together, place, words[at + 4]);
      const to = addressees.get(words[at] as number);
      to?.receive(kind & ~AS_IT_IS, payload, words[at + 2] as number);
    }
  }
}

const deliveries: Delivery[] = [];

/** Whether many letters are being handed on: their answers leave together. */
let crowded = false;

/**
 * Hands on all letters. A listener that throws ends the turn, as it would any; what is
 * left follows in the next.
 */
function deliver(): void {
  let done = false;
  try {
    for (let next = deliveries[0]; next; next = deliveries[0]) {
      crowded = !next.isSmall;
      next.deliver();
      deliveries.shift();
    }
    done = true;
  } finally {
    crowded = false;
    if (!done) setImmediate(deliver);
  }
}

/** The mailbox of all sockets of this environment. */
export const mailbox = new native.NativeMailbox((words, together, large) => {
  deliveries.push(new Delivery(words, together, large));
  deliver();
});

/** Takes letters under a number of its own, and keeps the process alive, up to `leave`. */
export function enter(addressee: Addressee): number {
  do {
    last = (last + 1) >>> 0;
  } while (addressees.has(last));
  addressees.set(last, addressee);
  open++;
  if (open === 1) mailbox.keepAlive(true);
  return last;
}

/** No more letters are expected. */
export function leave(number: number): void {
  if (!addressees.delete(number)) return;
  open--;
  if (open === 0) mailbox.keepAlive(false);
}

/** Milliseconds that a process which exits waits for what was sent to be taken. */
const LAST_WORDS = 20;

/** Sockets written to in a turn, from which on other threads write for this one. */
const MANY = 2;

let dirty: Addressee[] = [];

/**
 * Has this one flushed once what runs now is done. Says whether it may be flushed now too,
 * so that what comes next need not wait for what the program does then.
 */
export function flushLater(addressee: Addressee): boolean {
  dirty.push(addressee);
  if (dirty.length === 1) process.nextTick(flushAll);
  return !crowded;
}

flushAtExit.add(() => {
  for (const addressee of dirty) addressee.flush(true);
  // A connection that is new is not known to take anything yet.
  const nothing = new Int32Array(new SharedArrayBuffer(4));
  for (let i = 0; i < LAST_WORDS && dirty.some((addressee) => !addressee.isWritten()); i++) {
    Atomics.wait(nothing, 0, 0, 1);
    for (const addressee of dirty) addressee.flush(true);
  }
});

function flushAll(): void {
  const flushing = dirty;
  dirty = [];
  const here = flushing.length < MANY;
  let elsewhere = false;
  for (const addressee of flushing) {
    if (!addressee.flush(here)) elsewhere = true;
  }
  if (elsewhere) mailbox.writeAll();
}
