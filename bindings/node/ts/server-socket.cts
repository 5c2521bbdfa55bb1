// A socket as programs written for the npm package `ws` know it.

import { EventEmitter } from "node:events";
import type { Duplex } from "node:stream";
import { types } from "node:util";

import type { Bridge } from "./bridge.cjs";
import {
  Listeners,
  type SocketEvents,
  type SocketListener,
} from "./listeners.cjs";
import { enter, Kind, leave, type Addressee } from "./mailbox.cjs";
import { native, type NativeSocket } from "./native.cjs";
import { bytesOf, constants, isBufferSource } from "./webidl.cjs";
import { Writing, type SendCallback } from "./writing.cjs";

/** What `send()` takes: a number goes as its digits. */
export type SocketData =
  | string
  | number
  | Buffer
  | ArrayBuffer
  | ArrayBufferView
  | Blob
  | readonly number[];

/** How binary messages are handed out. */
export type SocketBinaryType = "nodebuffer" | "arraybuffer" | "fragments" | "blob";

export interface SendOptions {
  /** Whether the message is binary: where it is not given, what is no string is. */
  binary?: boolean | undefined;
  /** Whether this ends the message: it does. */
  fin?: boolean | undefined;
}

interface ServerSocketEventMap {
  open: [];
  message: [data: Buffer | ArrayBuffer | Buffer[] | Blob, isBinary: boolean];
  ping: [data: Buffer];
  pong: [data: Buffer];
  error: [error: Error];
  close: [code: number, reason: Buffer];
}

/** What the native half says instead of where a message ends. */
const FULL = -2;
const IN_MESSAGE = -3;
const NOT_UTF8 = -4;

const STATES = ["CONNECTING", "OPEN", "CLOSING", "CLOSED"];
const NOTHING = Buffer.alloc(0);

function asBytes(data: unknown): Uint8Array {
  if (isBufferSource(data) && !(ArrayBuffer.isView(data) && types.isSharedArrayBuffer(data.buffer))) {
    return bytesOf(data);
  }
  // What others may change meanwhile is copied.
  if (ArrayBuffer.isView(data)) {
    return Uint8Array.from(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  if (types.isSharedArrayBuffer(data)) return Uint8Array.from(new Uint8Array(data));
  return Buffer.from(data as string);
}

/** How the server opens it. @internal */
export interface Opened {
  native: NativeSocket;
  stream: Duplex;
  protocol: string;
  extensions: string;
  /** Called before `close` is emitted. */
  onEnd: () => void;
}

/**
 * A socket of a WebSocketServer: an EventEmitter with `message`, `ping`, `pong`, `error`
 * and `close`, and a browser's `addEventListener`.
 */
export class ServerSocket extends EventEmitter<ServerSocketEventMap> {
  declare static readonly CONNECTING: 0;
  declare static readonly OPEN: 1;
  declare static readonly CLOSING: 2;
  declare static readonly CLOSED: 3;
  declare readonly CONNECTING: 0;
  declare readonly OPEN: 1;
  declare readonly CLOSING: 2;
  declare readonly CLOSED: 3;

  #native: NativeSocket | undefined;
  #stream: Duplex | undefined;
  #bridge: Bridge | undefined;
  #protocol = "";
  #extensions = "";
  #readyState: 0 | 1 | 2 | 3 = 0;
  #binaryType: SocketBinaryType = "nodebuffer";
  #paused = false;
  /** What has arrived since it was paused. */
  #held: [Kind, Buffer, number][] = [];
  #writing: Writing | undefined;
  /** Bytes of blobs that are being read, and what waits behind them. */
  #queued = 0;
  #reading: Promise<void> | undefined;
  /** Bytes given to `send` that will never be sent. */
  #unsent = 0;
  /** The message whose fragments are being sent. */
  #inMessage: { text: boolean } | undefined;
  #number = 0;
  /** Whether the end is known, and whether it was told. */
  #over = false;
  #left = false;
  #onEnd: () => void = () => {};
  readonly #listeners = new Listeners<ServerSocket>(this);
  readonly #addressee: Addressee = {
    receive: (kind, payload, value) => this.#receive(kind, payload, value),
    flush: (here) => this.#writing?.flush(here) ?? true,
    isWritten: () => this.#writing?.isDone ?? true,
  };

  /** Takes letters: the number to open the socket under. @internal */
  enter(): number {
    this.#number = enter(this.#addressee);
    return this.#number;
  }

  /** It will not be opened. @internal */
  leave(): void {
    leave(this.#number);
  }

  /** Sets the stream that letters may be for before it is open. @internal */
  bridgeTo(bridge: Bridge): void {
    this.#bridge = bridge;
  }

  /** @internal */
  opened({ native, stream, protocol, extensions, onEnd }: Opened): void {
    this.#native = native;
    this.#writing = new Writing(native, this.#addressee);
    this.#stream = stream;
    this.#onEnd = onEnd;
    // A program may drop the connection by its stream. (A bridge tells of that itself,
    // behind what has arrived before.)
    if (!this.#bridge) stream.once("close", () => native.terminate(0));
    this.#protocol = protocol;
    this.#extensions = extensions;
    this.#readyState = 1;
  }

  get readyState(): 0 | 1 | 2 | 3 {
    return this.#readyState;
  }

  /** The subprotocol agreed on. */
  get protocol(): string {
    return this.#protocol;
  }

  /** The extensions agreed on. */
  get extensions(): string {
    return this.#extensions;
  }

  /** A server has none. */
  get url(): string {
    return "";
  }

  /** Bytes sent that the network has not taken, framing included. */
  get bufferedAmount(): number {
    const waiting = this.#readyState === 3 ? 0 : (this.#native?.bufferedAmount ?? 0);
    return waiting + this.#queued + this.#unsent;
  }

  get binaryType(): SocketBinaryType {
    return this.#binaryType;
  }

  set binaryType(type: SocketBinaryType) {
    if (["nodebuffer", "arraybuffer", "fragments", "blob"].includes(type)) this.#binaryType = type;
  }

  /** Whether messages are read. */
  get isPaused(): boolean {
    return this.#paused;
  }

  /** The stream of the request that opened it: its addresses stay. */
  get _socket(): Duplex | undefined {
    return this.#stream;
  }

  /** Reads no messages until `resume()`: the client is slowed down. */
  pause(): void {
    if (this.#readyState === 0 || this.#readyState === 3 || this.#over) return;
    this.#paused = true;
    this.#native?.setReading(false);
  }

  resume(): void {
    if (this.#readyState === 0 || this.#readyState === 3) return;
    this.#endPause();
  }

  /**
   * Sends a message. The callback is called once the network has taken it, or with an
   * error where it never will.
   */
  send(data: SocketData, callback?: SendCallback): void;
  send(data: SocketData, options: SendOptions, callback?: SendCallback): void;
  send(data: unknown, options?: SendOptions | SendCallback, callback?: SendCallback): void {
    const { binary, fin = true } = typeof options === "object" ? (options ?? {}) : {};
    const done = typeof options === "function" ? options : callback;
    this.#mustNotConnect();
    if (typeof data === "number") data = String(data);
    else if (data === undefined || data === null || data === false) data = NOTHING;
    const text = binary === undefined ? typeof data === "string" : !binary;
    if (data instanceof Blob && this.#readyState === 1) {
      const blob = data;
      this.#later(blob.size, async () => {
        const bytes = new Uint8Array(await blob.arrayBuffer());
        this.#sendBytes(bytes, text, fin, done);
      }, done);
    } else if (this.#reading && this.#readyState === 1) {
      const bytes = Uint8Array.from(asBytes(data));
      this.#later(bytes.length, () => this.#sendBytes(bytes, text, fin, done), done);
    } else if (typeof data === "string" && text && fin && !this.#inMessage && this.#readyState === 1) {
      const end = (this.#native as NativeSocket).sendText(data);
      this.#sent(end, data.length, done);
    } else if (data instanceof Blob) {
      this.#unsent += data.size;
      if (done) process.nextTick(done, this.#notOpen());
    } else {
      this.#sendBytes(asBytes(data), text, fin, done);
    }
  }

  /** Sends a ping, with at most 125 bytes. */
  ping(data?: SocketData | SendCallback, mask?: boolean | SendCallback, callback?: SendCallback): void {
    this.#control("ping", data, mask, callback);
  }

  /** Sends a pong that nobody asked for, with at most 125 bytes. */
  pong(data?: SocketData | SendCallback, mask?: boolean | SendCallback, callback?: SendCallback): void {
    this.#control("pong", data, mask, callback);
  }

  /** Starts the closing handshake, behind all that was sent. */
  close(code?: number, reason?: string | Uint8Array): void {
    if (this.#readyState >= 2) return;
    const text = typeof reason === "string" ? reason : Buffer.from(reason ?? NOTHING).toString();
    if (code !== undefined && !(Number.isInteger(code) && code >= 0 && code <= 0xffff)) {
      throw new TypeError(`expected an integer of 16 bits as the close code, got ${String(code)}`);
    }
    const why = native.judgeClose(code, text);
    if (why) throw new (why.tooLong ? RangeError : TypeError)(why.message);
    this.#mustNotConnect();
    this.#readyState = 2;
    if (this.#reading) {
      this.#later(0, () => this.#close(code, text), undefined);
    } else {
      this.#close(code, text);
    }
  }

  #close(code: number | undefined, reason: string): void {
    this.#native?.close(code, reason);
  }

  /** Drops the connection, without a closing handshake. */
  terminate(): void {
    if (this.#readyState === 3) return;
    this.#readyState = 2;
    this.#writing?.terminate();
    this.#endPause();
  }

  addEventListener<K extends keyof SocketEvents<ServerSocket>>(
    type: K,
    listener: SocketListener<ServerSocket, K>,
    options?: { once?: boolean },
  ): void {
    this.#listeners.add(type, listener, options?.once === true);
  }

  removeEventListener<K extends keyof SocketEvents<ServerSocket>>(
    type: K,
    listener: SocketListener<ServerSocket, K>,
  ): void {
    this.#listeners.remove(type, listener);
  }

  get onopen(): ((event: SocketEvents<ServerSocket>["open"]) => void) | null {
    return this.#listeners.attribute("open") as never;
  }

  set onopen(listener: ((event: SocketEvents<ServerSocket>["open"]) => void) | null) {
    this.#listeners.setAttribute("open", listener);
  }

  get onmessage(): ((event: SocketEvents<ServerSocket>["message"]) => void) | null {
    return this.#listeners.attribute("message") as never;
  }

  set onmessage(listener: ((event: SocketEvents<ServerSocket>["message"]) => void) | null) {
    this.#listeners.setAttribute("message", listener);
  }

  get onerror(): ((event: SocketEvents<ServerSocket>["error"]) => void) | null {
    return this.#listeners.attribute("error") as never;
  }

  set onerror(listener: ((event: SocketEvents<ServerSocket>["error"]) => void) | null) {
    this.#listeners.setAttribute("error", listener);
  }

  get onclose(): ((event: SocketEvents<ServerSocket>["close"]) => void) | null {
    return this.#listeners.attribute("close") as never;
  }

  set onclose(listener: ((event: SocketEvents<ServerSocket>["close"]) => void) | null) {
    this.#listeners.setAttribute("close", listener);
  }

  #mustNotConnect(): void {
    if (this.#readyState === 0) {
      throw new Error("expected a WebSocket that is open, got one that is CONNECTING");
    }
  }

  #notOpen(): Error {
    return new Error(`expected a WebSocket that is open, got one that is ${STATES[this.#readyState]}`);
  }

  #sendBytes(bytes: Uint8Array, text: boolean, fin: boolean, callback?: SendCallback): void {
    const native = this.#native;
    // What waited behind a blob was sent before close().
    const sendable = this.#readyState === 1 || (this.#reading !== undefined && this.#readyState === 2);
    if (!sendable || !native) {
      this.#unsent += bytes.length;
      if (callback) process.nextTick(callback, this.#notOpen());
      return;
    }
    let end: number;
    if (!fin || this.#inMessage) {
      end = native.sendFragment(bytes, this.#inMessage ? this.#inMessage.text : text, fin);
      if (end >= 0) this.#inMessage = fin ? undefined : (this.#inMessage ?? { text });
    } else if (text) {
      end = native.sendUtf8(bytes);
    } else {
      end = native.sendBinary(bytes);
    }
    this.#sent(end, bytes.length, callback);
  }

  /** What becomes of a message that the native half has been given. */
  #sent(end: number, size: number, callback?: SendCallback): void {
    if (end < 0) {
      this.#unsent += size;
      this.#failed(end, callback);
      return;
    }
    this.#writing?.message(end, size, callback);
  }

  #failed(why: number, callback?: SendCallback): void {
    let error = this.#notOpen();
    if (why === FULL) {
      error = new Error(
        `expected the client to take what waits, got ${this.bufferedAmount} bytes that it has not: ` +
          "the connection is dropped",
      );
      this.terminate();
    } else if (why === IN_MESSAGE) {
      error = new Error("expected the last fragment of the message that is being sent, got another message");
    } else if (why === NOT_UTF8) {
      error = new TypeError("expected UTF-8 in a text message, got other bytes");
    }
    if (callback) process.nextTick(callback, error);
    else if (why === FULL || why === NOT_UTF8) process.nextTick(() => this.emit("error", error));
  }

  #control(
    what: "ping" | "pong",
    data: SocketData | SendCallback | undefined,
    mask: boolean | SendCallback | undefined,
    callback: SendCallback | undefined,
  ): void {
    this.#mustNotConnect();
    const functions = [data, mask, callback].filter((given) => typeof given === "function");
    const done = functions[0] as SendCallback | undefined;
    const given = typeof data === "function" ? undefined : data;
    const bytes = asBytes(typeof given === "number" ? String(given) : given || NOTHING);
    if (this.#readyState !== 1) {
      if (done) process.nextTick(done, this.#notOpen());
      return;
    }
    const why = this.#native?.[what](bytes);
    if (!why) this.#writing?.control(bytes.length, done);
    else if (why.tooLong) throw new RangeError(why.message);
    else if (done) process.nextTick(done, new Error(why.message));
  }

  /** Does something behind the blobs that are being read. */
  #later(size: number, run: () => void | Promise<void>, callback: SendCallback | undefined): void {
    this.#queued += size;
    const before = this.#reading ?? Promise.resolve();
    const reading = before
      .then(run)
      .catch((error: unknown) => {
        if (callback) callback(error as Error);
        else this.emit("error", error as Error);
      })
      .finally(() => {
        this.#queued -= size;
        if (this.#reading === reading) this.#reading = undefined;
      });
    this.#reading = reading;
  }

  #receive(kind: Kind, payload: Buffer, value: number): void {
    if (kind >= Kind.Write) {
      this.#bridge?.receive(kind, payload);
      if (kind === Kind.Destroy) {
        this.#bridge = undefined;
        if (this.#left) leave(this.#number);
      }
    } else if (kind === Kind.Transmitted) {
      this.#writing?.handleTransmitted();
    } else if (this.#paused || this.#held.length > 0) {
      this.#held.push([kind, Buffer.from(payload), value]);
      // The end is told however much the program wants to read.
      if (kind === Kind.Closed || kind === Kind.Failed) this.#endPause();
    } else {
      this.#tell(kind, payload, value);
    }
  }

  /** Nothing more is to be slowed down. */
  #endPause(): void {
    if (!this.#paused) return;
    this.#paused = false;
    setImmediate(() => this.#release());
  }

  /** Tells what was held back, as long as nobody pauses. */
  #release(): void {
    let told = 0;
    try {
      while (told < this.#held.length && !this.#paused) {
        const [kind, payload, value] = this.#held[told++] as [Kind, Buffer, number];
        this.#tell(kind, payload, value);
      }
    } finally {
      this.#held.splice(0, told);
      if (!this.#paused) {
        if (this.#held.length > 0) setImmediate(() => this.#release());
        else this.#native?.setReading(true);
      }
    }
  }

  #tell(kind: Kind, payload: Buffer, value: number): void {
    switch (kind) {
      case Kind.Text:
        this.emit("message", payload, false);
        break;
      case Kind.Binary:
        this.emit("message", this.#binary(payload), true);
        break;
      case Kind.Ping:
        this.emit("ping", payload);
        break;
      case Kind.Pong:
        this.emit("pong", payload);
        break;
      case Kind.Closing:
        this.#readyState = 2;
        break;
      case Kind.Closed:
        this.#ended(value, payload);
        break;
      case Kind.Failed: {
        const [code, status, ...text] = payload.toString().split("\n");
        const error = Object.assign(new RangeError(text.join("\n")), { code, closeCode: Number(status) });
        this.#readyState = 2;
        this.#ended(value, NOTHING);
        this.emit("error", error);
        break;
      }
    }
  }

  #binary(payload: Buffer): Buffer | ArrayBuffer | Buffer[] | Blob {
    switch (this.#binaryType) {
      case "nodebuffer":
        return payload;
      case "fragments":
        return [payload];
      case "blob":
        return new Blob([payload]);
      case "arraybuffer": {
        const { buffer, byteOffset, byteLength } = payload;
        if (byteOffset === 0 && byteLength === buffer.byteLength) return buffer as ArrayBuffer;
        return buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
      }
    }
  }

  /** The end is told in a turn of its own: what the last messages have led to comes before. */
  #ended(code: number, reason: Buffer): void {
    this.#over = true;
    this.#readyState = 2;
    this.#writing?.handleEnd();
    setImmediate(() => {
      this.#readyState = 3;
      this.#writing?.fail(this.#notOpen());
      setImmediate(() => {
        this.#leave();
        this.#onEnd();
        this.emit("close", code, Buffer.from(reason));
      });
    });
  }

  /** Letters for a stream follow until it is let go of. */
  #leave(): void {
    this.#left = true;
    if (this.#bridge) return;
    leave(this.#number);
    this.#stream?.destroy();
  }
}

Object.defineProperty(ServerSocket, "name", { value: "WebSocket", configurable: true });
constants(ServerSocket, { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 });
