// The WebSocket interface (https://websockets.spec.whatwg.org/#the-websocket-interface).

import { nativeOptions, type WebSocketOptions } from "./configuration.cjs";
import { CloseEvent, MessageEvent, Received, type MessageEventInit } from "./events.cjs";
import { native, throwing, type Dispatch, type NativeWebSocket } from "./native.cjs";
import {
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
const ERROR_AND_CLOSE = 4;

/** An event handler attribute (HTML, section 8.1.8.1): a listener with a place of its own. */
class HandlerSlot<E extends Event> {
  #value: Handler<E> = null;
  #listener: ((event: Event) => void) | undefined;

  get value(): Handler<E> {
    return this.#value;
  }

  set(target: WebSocket, type: string, value: unknown): void {
    const callable = typeof value === "function" || (typeof value === "object" && value !== null);
    this.#value = callable ? (value as Handler<E>) : null;
    if (this.#value === null) {
      if (this.#listener) target.removeEventListener(type, this.#listener);
      this.#listener = undefined;
    } else if (!this.#listener) {
      this.#listener = (event) => {
        if (typeof this.#value === "function") this.#value.call(target, event as E);
      };
      target.addEventListener(type, this.#listener);
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
    return this.#amount ?? this.#startTurn();
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
    const type = domString(value);
    // Another value of an enumeration is ignored.
    if (type === "blob" || type === "arraybuffer") this.#binaryType = type;
  }

  get onopen(): Handler<Event> {
    return this.#onopen.value;
  }

  set onopen(handler: Handler<Event>) {
    this.#onopen.set(this, "open", handler);
  }

  get onmessage(): Handler<MessageEvent> {
    return this.#onmessage.value;
  }

  set onmessage(handler: Handler<MessageEvent>) {
    this.#onmessage.set(this, "message", handler);
  }

  get onerror(): Handler<Event> {
    return this.#onerror.value;
  }

  set onerror(handler: Handler<Event>) {
    this.#onerror.set(this, "error", handler);
  }

  get onclose(): Handler<CloseEvent> {
    return this.#onclose.value;
  }

  set onclose(handler: Handler<CloseEvent>) {
    this.#onclose.set(this, "close", handler);
  }

  send(data: WebSocketData): void;
  send(data: unknown): void {
    const socket = this.#native;
    if (arguments.length < 1) {
      throw new TypeError("WebSocket.send: expected 1 argument, got 0");
    }
    if (data instanceof Blob) {
      this.#checkSendable();
      this.#count(data.size);
      this.#later(data.size, async () => socket.sendBinary(new Uint8Array(await data.arrayBuffer())));
    } else if (isBufferSource(data)) {
      const bytes = bytesOf(data);
      this.#checkSendable();
      const first = this.#count(bytes.byteLength);
      if (this.#sending) {
        const copy = bytes.slice();
        this.#later(copy.byteLength, () => socket.sendBinary(copy));
      } else {
        socket.sendBinary(bytes);
        if (first) socket.flush();
      }
    } else {
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
    if (this.#native.readyState === 0) {
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
    const first = this.#amount === undefined;
    this.#amount = this.bufferedAmount + size;
    return first;
  }

  /** What bufferedAmount is to the end of this turn, as long as nothing is sent. */
  #startTurn(): number {
    const amount = this.#native.bufferedAmount + this.#queued;
    this.#amount = amount;
    endOfTurn(() => {
      this.#amount = undefined;
      this.#native.flush();
    });
    return amount;
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

  #perform(...task: Parameters<Dispatch>): void {
    if (task[0] === MESSAGE) {
      if (this.#closing) return;
      let data: unknown = task[1];
      if (typeof data !== "string" && this.#binaryType === "blob") {
        data = new Blob([data as ArrayBuffer]);
      }
      const received: unknown = new Received(data, this.#origin);
      this.dispatchEvent(new MessageEvent("message", received as MessageEventInit));
    } else if (task[0] === OPEN) {
      this.dispatchEvent(new Event("open"));
    } else if (task[0] === CLOSE || task[0] === ERROR_AND_CLOSE) {
      const [kind, code, reason, wasClean] = task;
      if (kind === ERROR_AND_CLOSE) this.dispatchEvent(new Event("error"));
      this.dispatchEvent(new CloseEvent("close", { wasClean, code, reason }));
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
