// The WebSocketStream interface
// (https://websockets.spec.whatwg.org/#the-websocketstream-interface).

import { ReadableStream, WritableStream } from "node:stream/web";

import { nativeOptions, type WebSocketOptions } from "./configuration.cjs";
import { native, throwing, type NativeWebSocketStream, type Outcome } from "./native.cjs";
import { closeInfo, isWebSocketError, toldError, type WebSocketCloseInfo } from "./web-socket-error.cjs";
import { bytesOf, describe, isBufferSource, sequence, usvString } from "./webidl.cjs";

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

interface Deferred<T> {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (reason: unknown) => void;
}

/** A promise whose rejection nobody has to handle. */
function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((...functions) => ([resolve, reject] = functions));
  promise.catch(() => {});
  return { promise, resolve, reject };
}

export class WebSocketStream {
  readonly #native: NativeWebSocketStream;
  readonly #opened = deferred<WebSocketOpenInfo>();
  readonly #closed = deferred<WebSocketCloseInfo>();
  #handshakeAborted = false;
  #established = false;
  #end: DOMException | undefined;

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
      const onAbort = () => this.#established || this.#abort(signal?.reason);
      signal?.addEventListener("abort", onAbort, { once: true });
      void this.#follow(() => signal?.removeEventListener("abort", onAbort));
    }
  }

  get url(): string {
    return this.#native.url;
  }

  get opened(): Promise<WebSocketOpenInfo> {
    return this.#opened.promise;
  }

  get closed(): Promise<WebSocketCloseInfo> {
    return this.#closed.promise;
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
    let endWriting: ((reason: unknown) => void) | undefined;
    if (this.#established) {
      const { info, end } = this.#streams();
      endWriting = end;
      this.#opened.resolve(info);
    }
    const outcome = await socket.closed();
    const error = this.#endOf(outcome);
    if (this.#handshakeAborted) return;
    if (error) {
      endWriting?.(error);
      this.#closed.reject(error);
    } else {
      endWriting?.(new DOMException("the WebSocketStream is closed", "InvalidStateError"));
      this.#closed.resolve({ closeCode: outcome.closeCode ?? 1005, reason: outcome.reason ?? "" });
    }
  }

  /** The exception that it ended with, one for all whom it is told. */
  #endOf(outcome: Outcome): DOMException | undefined {
    this.#end ??= exceptionOf(outcome);
    return this.#end;
  }

  /** Closes with the code and reason of a WebSocketError, and without for any other. */
  #closeUsing(reason: unknown): void {
    const [code, text] = isWebSocketError(reason)
      ? [reason.closeCode ?? undefined, reason.reason]
      : [undefined, ""];
    try {
      this.#native.close(code, text);
    } catch {
      // What the protocol told may be a code that no program can send.
      this.#native.close(undefined, "");
    }
  }

  #streams(): { info: WebSocketOpenInfo; end: (reason: unknown) => void } {
    const socket = this.#native;
    const readable = new ReadableStream<string | Uint8Array<ArrayBuffer>>({
      pull: async (controller) => {
        const { messages, end } = await socket.read();
        for (const message of messages) controller.enqueue(message);
        if (!end) return;
        const error = this.#endOf(end);
        if (error) controller.error(error);
        else controller.close();
      },
      cancel: (reason) => {
        this.#closeUsing(reason);
        socket.cancel();
      },
    });
    let end!: (reason: unknown) => void;
    const writable = new WritableStream<string | ArrayBuffer | ArrayBufferView>({
      start: (controller) => {
        end = (reason) => controller.error(reason);
      },
      write: async (chunk: unknown) => {
        const data = isBufferSource(chunk) ? bytesOf(chunk) : usvString(chunk);
        const error = exceptionOf(await socket.write(data));
        if (error) throw error;
      },
      close: async () => {
        socket.close(undefined, "");
        await this.#closed.promise;
      },
      abort: (reason) => this.#closeUsing(reason),
    });
    const [extensions, protocol] = socket.chosen ?? ["", ""];
    return { info: { extensions, protocol, readable, writable }, end };
  }
}

/** The members of the dictionary, in the order in which Web IDL reads them. */
function streamOptions(value: unknown): { protocols: string[]; signal: AbortSignal | undefined } {
  if (value === undefined || value === null) return { protocols: [], signal: undefined };
  if (typeof value !== "object" && typeof value !== "function") {
    throw new TypeError(`WebSocketStream: expected a dictionary, got ${typeof value}`);
  }
  const options = value as Record<string, unknown>;
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
