// The events of a WebSocket.

import { describe, domString, usvString } from "./webidl.cjs";

/** What every event may be told (DOM, section 2.2). */
export interface EventInit {
  bubbles?: boolean;
  cancelable?: boolean;
  composed?: boolean;
}

export interface CloseEventInit extends EventInit {
  wasClean?: boolean;
  code?: number;
  reason?: string;
}

function needArguments(args: IArguments, count: number, what: string): void {
  if (args.length < count) {
    throw new TypeError(`${what}: expected ${count} argument, got ${args.length}`);
  }
}

/** unsigned short, as a number modulo 2^16. */
function unsignedShort(value: unknown): number {
  const number = +(value as number);
  return Number.isFinite(number) ? Math.trunc(number) & 0xffff : 0;
}

function dictionary(value: unknown, what: string): Record<string, unknown> {
  if (value === undefined || value === null) return {};
  if (typeof value !== "object" && typeof value !== "function") {
    throw new TypeError(`${what}: expected a dictionary, got ${typeof value}`);
  }
  return value as Record<string, unknown>;
}

/** How a connection ended (WebSockets, section 6). */
export class CloseEvent extends Event {
  readonly #wasClean: boolean;
  readonly #code: number;
  readonly #reason: string;

  constructor(type: string, eventInitDict: CloseEventInit = {}) {
    needArguments(arguments, 1, "CloseEvent");
    const init = dictionary(eventInitDict, "CloseEvent");
    super(domString(type), init);
    this.#code = init["code"] === undefined ? 0 : unsignedShort(init["code"]);
    this.#reason = init["reason"] === undefined ? "" : usvString(init["reason"]);
    this.#wasClean = Boolean(init["wasClean"]);
  }

  get wasClean(): boolean {
    return this.#wasClean;
  }

  get code(): number {
    return this.#code;
  }

  get reason(): string {
    return this.#reason;
  }
}

describe(CloseEvent, "CloseEvent", ["wasClean", "code", "reason"]);

export interface MessageEventInit<T = unknown> extends EventInit {
  data?: T;
  origin?: string;
  lastEventId?: string;
  source?: MessagePort | null;
  ports?: Iterable<unknown>;
}

type MessagePort = import("node:worker_threads").MessagePort;

/** What a socket has received, in place of a dictionary. @internal */
export class Received {
  constructor(
    readonly data: unknown,
    readonly origin: string,
  ) {}
}

const NO_PORTS: readonly unknown[] = Object.freeze([]);

/** A message (HTML, section 9.1). */
export class MessageEvent<T = unknown> extends Event {
  readonly #data: T;
  readonly #origin: string;
  readonly #lastEventId: string;
  readonly #source: unknown;
  readonly #ports: readonly unknown[];

  constructor(type: string, eventInitDict: MessageEventInit<T> = {}) {
    if ((eventInitDict as unknown) instanceof Received) {
      super(type);
      const { data, origin } = eventInitDict as unknown as Received;
      this.#data = data as T;
      this.#origin = origin;
      this.#lastEventId = "";
      this.#source = null;
      this.#ports = NO_PORTS;
      return;
    }
    needArguments(arguments, 1, "MessageEvent");
    const init = dictionary(eventInitDict, "MessageEvent");
    super(domString(type), init);
    this.#data = (init["data"] === undefined ? null : init["data"]) as T;
    this.#lastEventId = init["lastEventId"] === undefined ? "" : domString(init["lastEventId"]);
    this.#origin = init["origin"] === undefined ? "" : usvString(init["origin"]);
    const ports = init["ports"] === undefined ? [] : Array.from(init["ports"] as Iterable<unknown>);
    this.#ports = Object.freeze(ports);
    this.#source = init["source"] ?? null;
  }

  get data(): T {
    return this.#data;
  }

  get origin(): string {
    return this.#origin;
  }

  get lastEventId(): string {
    return this.#lastEventId;
  }

  get source(): unknown {
    return this.#source;
  }

  get ports(): readonly unknown[] {
    return this.#ports;
  }
}

describe(MessageEvent, "MessageEvent", ["data", "origin", "lastEventId", "source", "ports"]);

