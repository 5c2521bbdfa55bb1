// The WebSocketStream interface
// (https://websockets.spec.whatwg.org/#the-websocketstream-interface).

import { addAbortListener } from "node:events";
import {
  ReadableStream,
  WritableStream,
  type ReadableStreamDefaultController,
  type WritableStreamDefaultController,
} from "node:stream/web";

import { nativeOptions, type WebSocketOptions } from "./configuration.cjs";
import { native, throwing, type NativeWebSocketStream, type Outcome } from "./native.cjs";
import { closeInfo, closeOf, toldError, type WebSocketCloseInfo } from "./web-socket-error.cjs";
import { bytesOf, describe, dictionary, isBufferSource, sequence, usvString } from "./webidl.cjs";

/** The second argument of the constructor; what browsers do not have is a third. */
export interface WebSocketStreamOptions {
  protocols?: Iterable<string>;
  signal?: AbortSignal;
}

/** What `opened` is fulfilled with. */
export interface WebSocketOpenInfo {
  extensions: string;
  protocol: string;
  readable: ReadableStream<string | Uint8Array<ArrayBuffer>>;
  writable: WritableStream<string | ArrayBuffer | ArrayBufferView>;
}

/** The exception that the native half tells of, if it does. */
function exceptionOf({ name, message, closeCode, reason }: Outcome): DOMException | undefined {
  if (name === undefined || name === null) return undefined;
  if (name === "WebSocketError") return toldError(message ?? "", closeCode ?? undefined, reason ?? "");
  return new DOMException(message ?? "", name);
}

type Reading = ReadableStreamDefaultController<string | Uint8Array<ArrayBuffer>>;

interface Streams {
  info: WebSocketOpenInfo;
  reading: Reading;
  writing: WritableStreamDefaultController;
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  /** Whether it was resolved or rejected. */
  settled: boolean;
  resolve: (value: T) => void;
  reject: (reason: unknown) => void;
}

/** A promise whose rejection nobody has to handle. */
function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((...functions) => ([resolve, reject] = functions));
  promise.catch(() => {});
  const result: Deferred<T> = {
    promise,
    settled: false,
    resolve: (value) => {
      result.settled = true;
      resolve(value);
    },
    reject: (reason) => {
      result.settled = true;
      reject(reason);
    },
  };
  return result;
}

const WRONG_THIS = "expected this to be a WebSocketStream";

/** What is to happen when a signal is aborted, by signal: one listener does for all. */
const abortSteps = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Adds what happens when a signal is aborted (DOM, section 3.2), which no listener can
 * stop. Gives what takes it away again.
 */
function onAbort(signal: AbortSignal, step: () => void): () => void {
  let steps = abortSteps.get(signal);
  if (!steps) {
    const ofSignal = new Set<() => void>();
    steps = ofSignal;
    abortSteps.set(signal, steps);
    const run = (): void => {
      if (!signal.aborted) return;
      for (const step of ofSignal) step();
      ofSignal.clear();
    };
    addAbortListener(signal, run);
  }
  steps.add(step);
  return () => void steps.delete(step);
}

export class WebSocketStream {
  readonly #native: NativeWebSocketStream;
  readonly #opened = deferred<WebSocketOpenInfo>();
  readonly #closed = deferred<WebSocketCloseInfo>();
  #handshakeAborted = false;
  #established = false;
  /** Whether the program reads no more. */
  #cancelled = false;
  /** What is being read. */
  #taking: Promise<unknown> = Promise.resolve();
  /** Once the end was told. */
  readonly #ended = deferred<void>();

  constructor(url: string | URL, options?: WebSocketStreamOptions, further?: WebSocketOptions);
  constructor(url: unknown, ...rest: unknown[]) {
    if (arguments.length < 1) {
      throw new TypeError("WebSocketStream: expected 1 argument, got 0");
    }
    const address = usvString(url);
    const [given, further = {}] = rest as [unknown, WebSocketOptions | undefined];
    const { protocols, signal } = streamOptions(given);
    const [settings, jar] = nativeOptions(further);
    const aborted = signal?.aborted ?? false;
    this.#native = throwing(
      () => new native.NativeWebSocketStream(address, protocols, settings, jar, aborted),
    );
    if (aborted) {
      this.#abort(signal?.reason);
    } else {
      const forget = signal && onAbort(signal, () => this.#abort(signal.reason));
      void this.#follow(() => forget?.());
    }
  }

  get url(): string {
    return this.#native.url;
  }

  get opened(): Promise<WebSocketOpenInfo> {
    return #opened in this ? this.#opened.promise : Promise.reject(new TypeError(WRONG_THIS));
  }

  get closed(): Promise<WebSocketCloseInfo> {
    return #closed in this ? this.#closed.promise : Promise.reject(new TypeError(WRONG_THIS));
  }

  close(closeInfo?: WebSocketCloseInfo): void;
  close(...args: unknown[]): void {
    const socket = this.#native;
    const [code, reason] = closeInfo(args[0], "WebSocketStream.close");
    throwing(() => socket.close(code, reason));
  }

  /** The signal: nothing that the connection comes to is told any more. */
  #abort(reason: unknown): void {
    this.#handshakeAborted = true;
    this.#native.abort();
    this.#opened.reject(reason);
    this.#closed.reject(reason);
  }

  /** Follows the connection to its end. */
  async #follow(established: () => void): Promise<void> {
    const socket = this.#native;
    const notOpened = exceptionOf(await socket.opened());
    established();
    if (this.#handshakeAborted) {
      // Established meanwhile, and nobody has it.
      if (!notOpened) {
        socket.close(undefined, "");
        socket.cancel();
      }
      return;
    }
    if (notOpened) this.#opened.reject(notOpened);
    this.#established = notOpened === undefined;
    let streams: Streams | undefined;
    if (this.#established) {
      streams = this.#streams();
      this.#opened.resolve(streams.info);
    }
    const outcome = await socket.closed();
    if (this.#handshakeAborted) return;
    const error = exceptionOf(outcome);
    // What was asked for before the end is told before it.
    await this.#taking;
    if (error) {
      streams?.reading.error(error);
      streams?.writing.error(error);
      this.#closed.reject(error);
      this.#ended.resolve();
      return;
    }
    if (streams && !this.#cancelled) {
      // What came before the end is the program's, whenever it reads.
      while (!(await this.#take(streams.reading)));
      if (!this.#cancelled) streams.reading.close();
    }
    streams?.writing.error(new DOMException("the WebSocketStream is closed", "InvalidStateError"));
    this.#closed.resolve({ closeCode: outcome.closeCode ?? 1005, reason: outcome.reason ?? "" });
    this.#ended.resolve();
  }

  /** Hands on what there is to read, in order. Says whether it was all. */
  #take(to: Reading): Promise<boolean> {
    const taking = this.#taking.then(async () => {
      if (this.#ended.settled) return true;
      const { messages, end } = await this.#native.read();
      if (this.#cancelled || this.#ended.settled) return true;
      for (const message of messages) to.enqueue(message);
      return end !== undefined && end !== null;
    });
    this.#taking = taking;
    return taking;
  }

  /** Closes with the code and reason of a WebSocketError, and without for any other. */
  #closeUsing(reason: unknown): void {
    const [code, text] = closeOf(reason);
    try {
      this.#native.close(code, text);
    } catch {
      // What the protocol told may be a code that no program can send.
      this.#native.close(undefined, "");
    }
  }

  #streams(): Streams {
    const socket = this.#native;
    let reading!: Reading;
    let writing!: WritableStreamDefaultController;
    const readable = new ReadableStream<string | Uint8Array<ArrayBuffer>>({
      start: (controller) => {
        reading = controller;
      },
      pull: async (controller) => {
        // The end is told to all at once.
        if (await this.#take(controller)) await this.#ended.promise;
      },
      cancel: (reason) => {
        this.#cancelled = true;
        this.#closeUsing(reason);
        socket.cancel();
      },
    });
    const writable = new WritableStream<string | ArrayBuffer | ArrayBufferView>({
      start: (controller) => {
        writing = controller;
      },
      write: async (chunk: unknown) => {
        const data = isBufferSource(chunk) ? bytesOf(chunk) : usvString(chunk);
        const error = exceptionOf(await socket.write(data));
        // What is written while the connection is closing is thrown away.
        if (error && error.name !== "InvalidStateError") throw error;
      },
      close: async () => {
        socket.close(undefined, "");
        await this.#closed.promise;
      },
      abort: (reason) => this.#closeUsing(reason),
    });
    const [extensions, protocol] = socket.chosen ?? ["", ""];
    return { info: { extensions, protocol, readable, writable }, reading, writing };
  }
}

/** The members of the dictionary, in the order in which Web IDL reads them. */
function streamOptions(value: unknown): { protocols: string[]; signal: AbortSignal | undefined } {
  const options = dictionary(value, "WebSocketStream");
  let protocols: string[] = [];
  const given = options["protocols"];
  if (given !== undefined) {
    const converted = sequence(given, usvString);
    if (!converted) throw new TypeError("WebSocketStream: expected protocols to be a sequence");
    protocols = converted;
  }
  const signal = options["signal"];
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError("WebSocketStream: expected signal to be an AbortSignal");
  }
  return { protocols, signal };
}

describe(WebSocketStream, "WebSocketStream", ["url", "opened", "closed", "close"]);
