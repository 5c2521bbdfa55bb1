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
}

export interface NativeCookieJar {
  set(url: string, cookie: string): void;
  header(url: string): string | null;
}

/** Called once for each task, on a turn of the event loop of its own. */
export type Dispatch = (
  ...task:
    | [kind: 0 | 1]
    | [kind: 2, data: string | ArrayBuffer]
    | [kind: 3 | 4, code: number, reason: string, wasClean: boolean]
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

interface Native {
  checkClose(code: number | undefined, reason: string): number | null;
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
    const message = error instanceof Error ? error.message : String(error);
    const end = message.indexOf("\n");
    if (end > 0) throw new DOMException(message.slice(end + 1), message.slice(0, end));
    throw error;
  }
}
