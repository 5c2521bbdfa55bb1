// What the native half has. It is loaded once for all of the package.

/** Options that browsers do not have, in the form that the native half takes. */
export interface NativeOptions {
  baseUrl?: string;
  origin?: string;
  headers?: string[][];
  ca?: string;
  insecure?: boolean;
  proxy?: string;
  perMessageDeflate?: boolean;
  cert?: string;
  key?: string;
  serverName?: string;
  handshakeTimeout?: number;
  closeTimeout?: number;
  maxPayload?: number;
  heartbeatInterval?: number;
  heartbeatTimeout?: number;
}

export interface NativeCookieJar {
  set(url: string, cookie: string): void;
  header(url: string): string | null;
}

/** Called once for each task, on a turn of the event loop of its own. */
export type Dispatch = (
  ...task:
    | [kind: 0 | 1 | 4]
    | [kind: 2, data: string | ArrayBuffer]
    | [kind: 3, code: number, reason: string, wasClean: boolean]
) => void;

export interface NativeWebSocket {
  readonly url: string;
  readonly readyState: number;
  readonly bufferedAmount: number;
  readonly extensions: string;
  readonly protocol: string;
  sendText(text: string): void;
  sendBinary(bytes: Uint8Array): void;
  flush(): void;
  close(code?: number, reason?: string): void;
  fail(): void;
  keepAlive(keep: boolean): void;
}

/** What became of an operation: an exception where it has a name. */
export interface Outcome {
  name?: string | null;
  message?: string | null;
  closeCode?: number | null;
  reason?: string | null;
}

export interface Batch {
  messages: (string | Uint8Array<ArrayBuffer>)[];
  end?: Outcome | null;
}

export interface NativeWebSocketStream {
  readonly url: string;
  readonly chosen: [extensions: string, protocol: string] | null;
  opened(): Promise<Outcome>;
  closed(): Promise<Outcome>;
  read(): Promise<Batch>;
  write(data: string | Uint8Array): Promise<Outcome>;
  close(closeCode: number | undefined, reason: string): void;
  cancel(): void;
  abort(): void;
}

/** What the sockets of a server are to be. */
export interface NativeSocketOptions {
  maxPayload?: number;
  maxBufferedAmount?: number;
  compression?: "shared" | "dedicated";
  windowBits?: number;
  memoryLevel?: number;
  level?: number;
  threshold?: number;
  heartbeatInterval?: number;
  heartbeatTimeout?: number;
  closeTimeout?: number;
}

export interface NativeMailbox {
  keepAlive(keep: boolean): void;
  writeAll(): void;
}

export interface NativeBridge {
  arrived(bytes: Uint8Array): boolean;
  ended(): void;
  lost(): void;
  written(count: number): void;
}

/** Why something was not taken. */
export interface NotTaken {
  tooLong: boolean;
  message: string;
}

export interface NativeSocket {
  readonly transmitted: number;
  readonly bufferedAmount: number;
  /** These give where the message ends in the stream of frames, or a negative number. */
  sendText(text: string): number;
  sendUtf8(bytes: Uint8Array): number;
  sendBinary(bytes: Uint8Array): number;
  sendFragment(bytes: Uint8Array, text: boolean, fin: boolean): number;
  ping(payload: Uint8Array): NotTaken | null;
  pong(payload: Uint8Array): NotTaken | null;
  flush(): number;
  /** Leaves it to the mailbox's `writeAll()`. */
  flushLater(): void;
  notifyTransmitted(offset: number): void;
  setReading(reading: boolean): void;
  close(code: number | undefined, reason: string): void;
  /** At once, or in a moment where less was taken of the stream of frames. */
  terminate(end: number): void;
}

export interface NativeHandshake {
  readonly refusal: { status: number; headers: [string, string][]; body: string } | null;
  readonly offered: string[];
  judgeOrigin(policy: string, allowed: string[], secure: boolean): string | null;
  accept(subprotocol: string | undefined): [string, string][];
  /** Not on Windows. */
  openDescriptor?(
    taken: { descriptor: number; pipe: boolean; head: Buffer; unhandled: Buffer },
    mailbox: NativeMailbox,
    socket: number,
  ): NativeSocket | null;
  openBridge(bridge: NativeBridge, mailbox: NativeMailbox, socket: number): NativeSocket;
}

interface Native {
  NativeMailbox: new (deliver: (words: Uint32Array, together: ArrayBuffer, large: ArrayBuffer[]) => void) => NativeMailbox;
  NativeBridge: new (mailbox: NativeMailbox, socket: number) => NativeBridge;
  NativeHandshake: new (
    method: string,
    url: string,
    httpVersion: string,
    headers: string[],
    options: NativeSocketOptions,
  ) => NativeHandshake;
  checkClose(code: number | undefined, reason: string): number | null;
  /** Why a server cannot close with this. */
  judgeClose(code: number | undefined, reason: string): NotTaken | null;
  NativeWebSocketStream: new (
    url: string,
    protocols: string[],
    options: NativeOptions,
    jar: NativeCookieJar | undefined,
    aborted: boolean,
  ) => NativeWebSocketStream;
  NativeCookieJar: new () => NativeCookieJar;
  NativeWebSocket: new (
    url: string,
    protocols: string[],
    options: NativeOptions,
    jar: NativeCookieJar | undefined,
    dispatch: Dispatch,
  ) => NativeWebSocket;
}

// eslint-disable-next-line @typescript-eslint/no-require-imports
export const native: Native = require("./longwire.node");

/** Runs what may throw in the native half; its exceptions become DOMExceptions. */
export function throwing<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    const [kind, name, ...text] = error instanceof Error ? error.message.split("\n") : [];
    if (kind === "DOMException") throw new DOMException(text.join("\n"), name);
    throw error;
  }
}
