// The WebSocket interface (https://websockets.spec.whatwg.org/#the-websocket-interface).

import { Blob as NodeBlob, Buffer } from "node:buffer";
import { performance } from "node:perf_hooks";
import { URL } from "node:url";

import { nativeOptions, type WebSocketOptions } from "./configuration.cjs";
import { CloseEvent, MessageEvent, Received, type MessageEventInit } from "./events.cjs";
import { native, throwing, type Dispatch, type NativeWebSocket } from "./native.cjs";
import { flushAtExit } from "./turn.cjs";
import {
  blobBytes,
  blobSize,
  bytesOf,
  clampedUnsignedShort,
  constants,
  describe,
  domString,
  isBufferSource,
  sequence,
  usvString,
} from "./webidl.cjs";

export type BinaryType = "blob" | "arraybuffer";

/** What `send()` takes. */
export type WebSocketData = string | ArrayBuffer | ArrayBufferView | Blob;

type Handler<E extends Event> = ((this: WebSocket, event: E) => unknown) | null;

/** The timers' own, whatever a test puts in its place later. */
const endOfTurn = setImmediate;

/** The kinds of tasks, as the native half knows them. */
const OPEN = 1;
const MESSAGE = 2;
const CLOSE = 3;
const ERROR = 4;

/** What a program, or its tests, may put others in the place of. */
const { addEventListener, removeEventListener, dispatchEvent } = EventTarget.prototype;

/** Bytes that wait to be written before they are, in the middle of a turn. */
const AT_ONCE = 64 << 10;
/** Milliseconds that they wait in the middle of a turn, and after how many tasks that is asked. */
const A_WHILE = 1;
const TASKS = 16;

/** An event handler attribute (HTML, section 8.1.8.1): a listener with a place of its own. */
class HandlerSlot<E extends Event> {
  #value: Handler<E> = null;
  #listener: ((event: Event) => void) | undefined;
  /** The event in whose dispatch the listener was added, which it is not for. */
  #since: Event | undefined;

  get value(): Handler<E> {
    return this.#value;
  }

  set(target: WebSocket, type: string, value: unknown, during: Event | undefined): void {
    const callable = typeof value === "function" || (typeof value === "object" && value !== null);
    this.#value = callable ? (value as Handler<E>) : null;
    if (this.#value === null) {
      if (this.#listener) Reflect.apply(removeEventListener, target, [type, this.#listener]);
      this.#listener = undefined;
    } else if (!this.#listener) {
      this.#since = during;
      this.#listener = (event) => {
        if (typeof this.#value !== "function" || event === this.#since) return;
        const result: unknown = Reflect.apply(this.#value, target, [event]);
        if (result === false) event.preventDefault();
      };
      Reflect.apply(addEventListener, target, [type, this.#listener]);
    }
  }
}

/**
 * The browser's WebSocket. A third argument of the constructor has what browsers do not.
 */
export class WebSocket extends EventTarget {
  declare static readonly CONNECTING: 0;
  declare static readonly OPEN: 1;
  declare static readonly CLOSING: 2;
  declare static readonly CLOSED: 3;
  declare readonly CONNECTING: 0;
  declare readonly OPEN: 1;
  declare readonly CLOSING: 2;
  declare readonly CLOSED: 3;

  readonly #native: NativeWebSocket;
  readonly #origin: string;
  #binaryType: BinaryType = "blob";
  /** bufferedAmount as it was in this turn of the event loop, and with what is sent since. */
  #amount: number | undefined;
  /** Whether a turn has begun, since when, and bytes that are to be written at its end. */
  #inTurn = false;
  #since = 0;
  #unflushed = 0;
  /** Bytes sent in this task, and how many tasks had something to write. */
  #sent = 0;
  #tasks = 0;
  /** Whether it has not been open yet. */
  #connecting = true;
  readonly #turn = (): void => {
    flushAtExit.delete(this.#turn);
    this.#inTurn = false;
    this.#amount = undefined;
    this.#sent = 0;
    this.#unflushed = 0;
    this.#native.flush();
  };
  /** The event that is being fired. */
  #firing: Event | undefined;
  /** Bytes of blobs that are being read, and what waits behind them. */
  #queued = 0;
  #sending: Promise<void> | undefined;
  /** Whether close() was called and waits for what is being read. */
  #closing = false;
  readonly #onopen = new HandlerSlot<Event>();
  readonly #onmessage = new HandlerSlot<MessageEvent>();
  readonly #onerror = new HandlerSlot<Event>();
  readonly #onclose = new HandlerSlot<CloseEvent>();

  constructor(
    url: string | URL,
    protocols?: string | Iterable<string>,
    options?: WebSocketOptions,
  );
  constructor(url: unknown, ...rest: unknown[]) {
    if (arguments.length < 1) {
      throw new TypeError("WebSocket: expected 1 argument, got 0");
    }
    const address = usvString(url);
    const [given, options = {}] = rest as [unknown, WebSocketOptions | undefined];
    let protocols: string[] = [];
    if (given !== undefined) {
      protocols = sequence(given, domString) ?? [domString(given)];
    }
    super();
    const [settings, jar] = nativeOptions(options);
    this.#native = throwing(
      () =>
        new native.NativeWebSocket(address, protocols, settings, jar, (...task) => {
          this.#perform(...task);
        }),
    );
    this.#origin = new URL(this.#native.url).origin;
  }

  get url(): string {
    return this.#native.url;
  }

  get readyState(): number {
    const state = this.#native.readyState;
    return this.#closing && state === 1 ? 2 : state;
  }

  get bufferedAmount(): number {
    if (!this.#inTurn) this.#startTurn();
    // What was sent in this task counts, whatever the network has taken of it.
    this.#amount ??= Math.max(this.#native.bufferedAmount + this.#queued, this.#sent);
    return this.#amount;
  }

  get extensions(): string {
    return this.#native.extensions;
  }

  get protocol(): string {
    return this.#native.protocol;
  }

  get binaryType(): BinaryType {
    return this.#binaryType;
  }

  set binaryType(value: BinaryType) {
    const before = this.#binaryType;
    const type = domString(value);
    // Another value of an enumeration is ignored.
    this.#binaryType = type === "blob" || type === "arraybuffer" ? type : before;
  }

  get onopen(): Handler<Event> {
    return this.#onopen.value;
  }

  set onopen(handler: Handler<Event>) {
    this.#onopen.set(this, "open", handler, this.#firing);
  }

  get onmessage(): Handler<MessageEvent> {
    return this.#onmessage.value;
  }

  set onmessage(handler: Handler<MessageEvent>) {
    this.#onmessage.set(this, "message", handler, this.#firing);
  }

  get onerror(): Handler<Event> {
    return this.#onerror.value;
  }

  set onerror(handler: Handler<Event>) {
    this.#onerror.set(this, "error", handler, this.#firing);
  }

  get onclose(): Handler<CloseEvent> {
    return this.#onclose.value;
  }

  set onclose(handler: Handler<CloseEvent>) {
    this.#onclose.set(this, "close", handler, this.#firing);
  }

  send(data: WebSocketData): void;
  send(data: unknown): void {
    const socket = this.#native;
    if (arguments.length < 1) {
      throw new TypeError("WebSocket.send: expected 1 argument, got 0");
    }
    if (isBufferSource(data)) {
      this.#sendBytes(bytesOf(data));
      return;
    }
    const blob = blobSize(data);
    if (blob !== undefined) {
      this.#checkSendable();
      this.#count(blob);
      this.#later(blob, async () => socket.sendBinary(await blobBytes(data as Blob)));
      return;
    }
    const text = usvString(data);
    this.#checkSendable();
    const size = Buffer.byteLength(text);
    const first = this.#count(size);
    if (this.#sending) {
      this.#later(size, () => socket.sendText(text));
    } else {
      socket.sendText(text);
      if (first) socket.flush();
    }
  }

  #sendBytes(bytes: Uint8Array): void {
    const socket = this.#native;
    this.#checkSendable();
    const first = this.#count(bytes.byteLength);
    if (this.#sending) {
      const copy = bytes.slice();
      this.#later(copy.byteLength, () => socket.sendBinary(copy));
    } else {
      socket.sendBinary(bytes);
      if (first) socket.flush();
    }
  }

  close(code?: number, reason?: string): void;
  close(...args: unknown[]): void {
    const socket = this.#native;
    const code = args[0] === undefined ? undefined : clampedUnsignedShort(args[0]);
    const reason = args[1] === undefined ? undefined : usvString(args[1]);
    if (this.#sending && socket.readyState === 1) {
      // What was sent goes out first. The arguments are judged now.
      throwing(() => native.checkClose(code, reason ?? ""));
      if (this.#closing) return;
      this.#closing = true;
      this.#later(0, () => socket.close(code, reason));
      return;
    }
    throwing(() => socket.close(code, reason));
  }

  /** Lets the process end although the connection is open. Not in browsers. */
  unref(): this {
    this.#native.keepAlive(false);
    return this;
  }

  /** Keeps the process from ending while the connection is open, as at first. */
  ref(): this {
    this.#native.keepAlive(true);
    return this;
  }

  #checkSendable(): void {
    if (this.#connecting && this.#native.readyState === 0) {
      throw new DOMException(
        "expected a connection that is open, got one that is still connecting",
        "InvalidStateError",
      );
    }
  }

  /**
   * Whatever the network takes meanwhile, what is sent counts to the end of the turn. Says
   * whether it is the turn's first, which is written at once; the others leave together.
   */
  #count(size: number): boolean {
    const first = !this.#inTurn;
    if (first) this.#startTurn();
    else this.#unflushed += size;
    this.#sent += size;
    if (this.#amount !== undefined) this.#amount += size;
    return first;
  }

  /** At its end, what was sent is written. */
  #startTurn(): void {
    this.#inTurn = true;
    this.#since = performance.now();
    flushAtExit.add(this.#turn);
    endOfTurn(this.#turn);
  }

  /** Does something behind the blobs that are being read. */
  #later(size: number, send: () => void | Promise<void>): void {
    this.#queued += size;
    const before = this.#sending ?? Promise.resolve();
    // A blob that cannot be read fails the connection, as in browsers.
    const sending = before.then(send).catch(() => this.#native.fail()).finally(() => {
      this.#native.flush();
      this.#queued -= size;
      if (this.#sending === sending) this.#sending = undefined;
    });
    this.#sending = sending;
  }

  /** Another task begins: what was sent before counts as the network has taken it. */
  #startTask(): void {
    this.#amount = undefined;
    this.#sent = 0;
    if (this.#unflushed === 0) return;
    this.#tasks++;
    if (this.#unflushed < AT_ONCE && this.#tasks % TASKS !== 0) return;
    const now = performance.now();
    if (this.#unflushed < AT_ONCE && now - this.#since < A_WHILE) return;
    this.#unflushed = 0;
    this.#since = now;
    this.#native.flush();
  }

  #fire(event: Event): void {
    this.#firing = event;
    try {
      Reflect.apply(dispatchEvent, this, [event]);
    } finally {
      this.#firing = undefined;
    }
  }

  #perform(...task: Parameters<Dispatch>): void {
    this.#connecting = false;
    if (this.#inTurn) this.#startTask();
    if (task[0] === MESSAGE) {
      if (this.#closing) return;
      let data: unknown = task[1];
      if (typeof data !== "string" && this.#binaryType === "blob") {
        data = new NodeBlob([data as ArrayBuffer]);
      }
      const received: unknown = new Received(data, this.#origin);
      this.#fire(new MessageEvent("message", received as MessageEventInit));
    } else if (task[0] === OPEN) {
      this.#fire(new Event("open"));
    } else if (task[0] === ERROR) {
      this.#fire(new Event("error"));
    } else if (task[0] === CLOSE) {
      const [, code, reason, wasClean] = task;
      this.#fire(new CloseEvent("close", { wasClean, code, reason }));
    }
  }
}

describe(WebSocket, "WebSocket", [
  "url",
  "readyState",
  "bufferedAmount",
  "onopen",
  "onerror",
  "onclose",
  "extensions",
  "protocol",
  "close",
  "onmessage",
  "binaryType",
  "send",
]);
constants(WebSocket, { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 });
