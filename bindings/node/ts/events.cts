// The events of a WebSocket.

import { MessagePort } from "node:worker_threads";

import { describe, dictionary, domString, sequence, usvString } from "./webidl.cjs";

/** The phase of an event that is not dispatched. */
const NONE = 0;

// It is left out of the types, as it is deprecated.
const { initEvent } = Event.prototype as unknown as { initEvent: (...args: unknown[]) => void };

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

/** The members of every event's dictionary, read in their order. */
function eventInit(init: Record<string, unknown>): EventInit {
  const { bubbles, cancelable, composed } = init;
  return { bubbles: Boolean(bubbles), cancelable: Boolean(cancelable), composed: Boolean(composed) };
}

/** How a connection ended (WebSockets, section 6). */
export class CloseEvent extends Event {
  readonly #wasClean: boolean;
  readonly #code: number;
  readonly #reason: string;

  constructor(type: string, eventInitDict: CloseEventInit = {}) {
    needArguments(arguments, 1, "CloseEvent");
    const name = domString(type);
    const init = dictionary(eventInitDict, "CloseEvent");
    super(name, eventInit(init));
    const { code } = init;
    this.#code = code === undefined ? 0 : unsignedShort(code);
    const { reason } = init;
    this.#reason = reason === undefined ? "" : usvString(reason);
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

/** What a socket has received, in place of a dictionary. @internal */
export class Received {
  constructor(
    readonly data: unknown,
    readonly origin: string,
  ) {}
}

const NO_PORTS: readonly unknown[] = Object.freeze([]);

function port(value: unknown): MessagePort {
  if (!(value instanceof MessagePort)) throw new TypeError("expected a MessagePort");
  return value;
}

function portsOf(value: unknown): readonly unknown[] {
  const ports = sequence(value, port);
  if (!ports) throw new TypeError("expected ports to be a sequence");
  return Object.freeze(ports);
}

/** A message (HTML, section 9.1). */
export class MessageEvent<T = unknown> extends Event {
  #data: T;
  #origin = "";
  #lastEventId = "";
  #source: MessagePort | null = null;
  #ports: readonly unknown[] = NO_PORTS;

  constructor(type: string, eventInitDict: MessageEventInit<T> = {}) {
    if ((eventInitDict as unknown) instanceof Received) {
      super(type);
      const { data, origin } = eventInitDict as unknown as Received;
      this.#data = data as T;
      this.#origin = origin;
      return;
    }
    needArguments(arguments, 1, "MessageEvent");
    const name = domString(type);
    const init = dictionary(eventInitDict, "MessageEvent");
    super(name, eventInit(init));
    const { data } = init;
    this.#data = (data === undefined ? null : data) as T;
    const { lastEventId } = init;
    if (lastEventId !== undefined) this.#lastEventId = domString(lastEventId);
    const { origin } = init;
    if (origin !== undefined) this.#origin = usvString(origin);
    const { ports } = init;
    if (ports !== undefined) this.#ports = portsOf(ports);
    const { source } = init;
    if (source !== undefined && source !== null) this.#source = port(source);
  }

  /** Sets what the constructor does (HTML, section 9.1), unless the event is dispatched. */
  initMessageEvent(
    type: string,
    bubbles?: boolean,
    cancelable?: boolean,
    data?: T | null,
    origin?: string,
    lastEventId?: string,
    source?: MessagePort | null,
    ports?: Iterable<unknown>,
  ): void;
  initMessageEvent(type: unknown, ...rest: unknown[]): void {
    needArguments(arguments, 1, "MessageEvent.initMessageEvent");
    const [bubbles, cancelable, data = null, origin, lastEventId, source, ports] = rest;
    const name = domString(type);
    const converted = {
      origin: origin === undefined ? "" : usvString(origin),
      lastEventId: lastEventId === undefined ? "" : domString(lastEventId),
      source: source === undefined || source === null ? null : port(source),
      ports: ports === undefined ? NO_PORTS : portsOf(ports),
    };
    if (this.eventPhase !== NONE) return;
    Reflect.apply(initEvent, this, [name, Boolean(bubbles), Boolean(cancelable)]);
    this.#data = data as T;
    this.#origin = converted.origin;
    this.#lastEventId = converted.lastEventId;
    this.#source = converted.source;
    this.#ports = converted.ports;
  }

  // Node's own events of this name are of this interface too.
  static {
    const own = Function.prototype[Symbol.hasInstance];
    const others = (globalThis as { MessageEvent?: Function }).MessageEvent;
    Object.defineProperty(this, Symbol.hasInstance, {
      value(this: Function, value: unknown): boolean {
        if (Reflect.apply(own, this, [value])) return true;
        return this === MessageEvent && others !== undefined && Reflect.apply(own, others, [value]);
      },
      writable: false,
      enumerable: false,
      configurable: true,
    });
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

describe(MessageEvent, "MessageEvent", [
  "data",
  "origin",
  "lastEventId",
  "source",
  "ports",
  "initMessageEvent",
]);

