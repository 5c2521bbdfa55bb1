// What a socket has sent and the network has not taken: when it is written, and who is
// told once it is.

import { flushLater, type Addressee } from "./mailbox.cjs";
import type { NativeSocket } from "./native.cjs";

export type SendCallback = (error?: Error) => void;

/** Bytes sent in a turn from which on another thread writes them. */
const LARGE = 32 << 10;

export class Writing {
  readonly #native: NativeSocket;
  readonly #addressee: Addressee;
  /** Bytes sent since the last flush; undefined where there is none to come. */
  #unflushed: number | undefined;
  /** Where the last message ends in the stream of frames. */
  #end = 0;
  /** Where messages end, and who is told when they are taken. */
  #callbacks: [end: number, callback: SendCallback][] = [];
  /** Whether a letter will come when the first of them is. */
  #notified = false;

  constructor(native: NativeSocket, addressee: Addressee) {
    this.#native = native;
    this.#addressee = addressee;
  }

  /** Whether all was taken. */
  get isDone(): boolean {
    return this.#native.transmitted >= this.#end;
  }

  /** A message was sent, which ends here in the stream of frames. */
  message(end: number, size: number, callback?: SendCallback): void {
    this.#end = end;
    this.control(size, callback);
  }

  /** A ping or a pong was sent: it is told of with the message before it. */
  control(size: number, callback?: SendCallback): void {
    if (callback) this.#callbacks.push([this.#end, callback]);
    if (this.#unflushed === undefined) {
      this.#unflushed = 0;
      if (flushLater(this.#addressee) && size < LARGE) {
        this.#native.flush();
        return;
      }
    }
    this.#unflushed += size;
  }

  /** Writes what was sent; says whether it was done here, and not left to another thread. */
  flush(here: boolean): boolean {
    const size = this.#unflushed ?? 0;
    this.#unflushed = undefined;
    if (!here || size >= LARGE) {
      this.#native.flushLater();
      this.#notifyOfNext();
      return false;
    }
    const transmitted = this.#native.flush();
    if (this.#callbacks.length > 0) this.#tell(transmitted);
    return true;
  }

  /** More has been taken. */
  handleTransmitted(): void {
    this.#notified = false;
    this.#tell(this.#native.transmitted);
  }

  /** Tells those whose messages were taken before the end of the connection. */
  handleEnd(): void {
    if (this.#callbacks.length > 0) this.#tell(this.#native.transmitted);
  }

  /** Tells all others that theirs never will be. */
  fail(error: Error): void {
    for (const [, callback] of this.#callbacks.splice(0)) process.nextTick(callback, error);
  }

  /** Drops the connection, behind what it takes at once. */
  terminate(): void {
    this.#native.flush();
    this.#native.terminate(this.#end);
  }

  #tell(transmitted: number): void {
    const left = this.#callbacks.findIndex(([end]) => end > transmitted);
    const done = this.#callbacks.splice(0, left === -1 ? this.#callbacks.length : left);
    this.#notifyOfNext();
    for (const [, callback] of done) process.nextTick(callback);
  }

  #notifyOfNext(): void {
    const next = this.#callbacks[0];
    if (!next || this.#notified) return;
    this.#notified = true;
    this.#native.notifyTransmitted(next[0]);
  }
}
