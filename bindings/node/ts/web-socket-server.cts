// A server of WebSockets on Node's HTTP, with the surface that programs written for the
// npm package `ws` know.

import { EventEmitter } from "node:events";
import {
  createServer,
  STATUS_CODES,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server as HttpServer,
} from "node:http";
import type { Server as HttpsServer } from "node:https";
import { Socket, type AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";

import { Bridge } from "./bridge.cjs";
import { mailbox } from "./mailbox.cjs";
import { native, type NativeHandshake, type NativeSocket, type NativeSocketOptions } from "./native.cjs";
import { ServerSocket } from "./server-socket.cjs";
import { nativeSocketOptions, type HeartbeatOptions, type PerMessageDeflateOptions } from "./socket-options.cjs";

/** What `verifyClient` is told of a request. */
export interface ClientInfo {
  /** The value of its `Origin` header, where it has one. */
  origin: string;
  /** Whether it came over TLS. */
  secure: boolean;
  req: IncomingMessage;
}

export type VerifyClientDone = (
  accepted: boolean,
  status?: number | null,
  message?: string | null,
  headers?: OutgoingHttpHeaders | null,
) => void;

export type VerifyClient =
  | ((info: ClientInfo) => boolean)
  | ((info: ClientInfo, done: VerifyClientDone) => void);

/** Exactly one of `port`, `server` and `noServer` is given. */
export interface WebSocketServerOptions<S extends typeof ServerSocket = typeof ServerSocket> {
  /** The port to listen on: 0 for any that is free. */
  port?: number | undefined;
  /** The address to listen on. */
  host?: string | undefined;
  /** Connections that may wait to be accepted: 511. */
  backlog?: number | undefined;
  /** An HTTP server whose upgrades are taken. */
  server?: HttpServer | HttpsServer | undefined;
  /** Whether the program calls `handleUpgrade` itself. */
  noServer?: boolean | undefined;
  /** Takes only requests for this path. */
  path?: string | undefined;
  /** Decides on each request. Where it is given, it alone judges origins. */
  verifyClient?: VerifyClient | undefined;
  /** Chooses a subprotocol; without it, the client's first is agreed on. */
  handleProtocols?: ((protocols: Set<string>, request: IncomingMessage) => string | false) | undefined;
  /**
   * Whose pages may open a socket: those of the same site by default. `same-origin`,
   * `any`, or a list of origins.
   */
  origin?: "same-site" | "same-origin" | "any" | readonly string[] | undefined;
  /** Whether `clients` has the sockets: it does. */
  clientTracking?: boolean | undefined;
  /** Whether messages may be compressed: they may not. */
  perMessageDeflate?: boolean | PerMessageDeflateOptions | undefined;
  /** Largest message received: 100 MiB. */
  maxPayload?: number | undefined;
  /** Bytes that may wait for one client: 1 GiB. One that leaves more is dropped. */
  maxBufferedAmount?: number | undefined;
  /** Milliseconds from one ping to the next, and to answer one: 20,000 each. */
  heartbeat?: HeartbeatOptions | false | undefined;
  /** Milliseconds that the closing handshake may take: 10,000. */
  closeTimeout?: number | undefined;
  /** The class of the sockets. */
  WebSocket?: S | undefined;
}

interface WebSocketServerEventMap<T> {
  connection: [socket: T, request: IncomingMessage];
  headers: [headers: string[], request: IncomingMessage];
  wsClientError: [error: Error, socket: Duplex, request: IncomingMessage];
  listening: [];
  error: [error: Error];
  close: [];
}

const MAX_PAYLOAD = 100 << 20;

const enum State {
  Running,
  Closing,
  Closed,
}

/** What Node has of a connection of the system. */
interface Handle {
  fd?: number;
  reading?: boolean;
  readStop?(): void;
}

export class WebSocketServer<S extends typeof ServerSocket = typeof ServerSocket> extends EventEmitter<
  WebSocketServerEventMap<InstanceType<S>>
> {
  readonly options: WebSocketServerOptions<S> & { maxPayload: number; clientTracking: boolean };
  /** The sockets that are open, unless `clientTracking` is false. */
  readonly clients: Set<InstanceType<S>> = new Set();

  #server: HttpServer | HttpsServer | undefined;
  #removeListeners: () => void = () => {};
  #state: State = State.Running;
  /** Whether `close` is to be emitted when the last socket is gone. */
  #closeWhenEmpty = false;
  #open = 0;
  readonly #settings: NativeSocketOptions;

  constructor(options: WebSocketServerOptions<S>, listening?: () => void) {
    super();
    this.options = {
      ...options,
      clientTracking: options.clientTracking ?? true,
      maxPayload: options.maxPayload ?? MAX_PAYLOAD,
    };
    const { port, server, noServer } = this.options;
    const given = [port !== undefined && port !== null, Boolean(server), Boolean(noServer)];
    if (given.filter(Boolean).length !== 1) {
      throw new TypeError('expected exactly one of the options "port", "server" and "noServer"');
    }
    const { WebSocket: SocketClass = ServerSocket } = this.options;
    if (SocketClass !== ServerSocket && !((SocketClass as { prototype?: unknown }).prototype instanceof ServerSocket)) {
      throw new TypeError('expected the option "WebSocket" to be a class that extends ServerSocket');
    }
    this.#settings = nativeSocketOptions(this.options);
    if (!this.options.clientTracking) delete (this as { clients?: unknown }).clients;
    if (port !== undefined && port !== null) {
      const own = createServer((_, response) => {
        const body = STATUS_CODES[426] as string;
        response.writeHead(426, {
          "Content-Type": "text/plain",
          "Content-Length": body.length,
          Upgrade: "websocket",
          Connection: "Upgrade",
        });
        response.end(body);
      });
      own.listen({ port, host: this.options.host, backlog: this.options.backlog }, listening);
      this.#listenTo(own);
    } else if (server) {
      this.#listenTo(server);
    }
  }

  #listenTo(server: HttpServer | HttpsServer): void {
    const connected = (socket: InstanceType<S>, request: IncomingMessage): void => {
      this.emit("connection", socket, request);
    };
    const listeners = {
      listening: () => this.emit("listening"),
      error: (error: Error) => this.emit("error", error),
      upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => {
        this.handleUpgrade(request, socket, head, connected);
      },
    };
    const emitter: EventEmitter = server;
    for (const [type, listener] of Object.entries(listeners)) emitter.on(type, listener);
    this.#removeListeners = () => {
      for (const [type, listener] of Object.entries(listeners)) emitter.off(type, listener);
    };
    this.#server = server;
  }

  /** Where the server listens, as its HTTP server says. */
  address(): AddressInfo | string | null {
    if (this.options.noServer) {
      throw new Error('expected a server that listens, got one with the option "noServer"');
    }
    return this.#server?.address() ?? null;
  }

  /**
   * Takes no more connections. Those that are open stay: they are the program's to close.
   * `close` is emitted once all are gone.
   */
  close(callback?: (error?: Error) => void): void {
    if (this.#state === State.Closed) {
      if (callback) this.once("close", () => callback(new Error("The server is not running")));
      process.nextTick(() => this.#emitClose());
      return;
    }
    if (callback) this.once("close", callback);
    if (this.#state === State.Closing) return;
    this.#state = State.Closing;
    const server = this.#server;
    this.#removeListeners();
    this.#server = undefined;
    const noMore = (): void => {
      if (this.#open === 0) process.nextTick(() => this.#emitClose());
      else this.#closeWhenEmpty = true;
    };
    if (this.options.noServer || this.options.server) {
      noMore();
    } else {
      server?.close(noMore);
    }
  }

  #emitClose(): void {
    this.#state = State.Closed;
    this.emit("close");
  }

  /** Whether a request is for this server: its path is. May be overridden. */
  shouldHandle(request: IncomingMessage): boolean {
    if (!this.options.path) return true;
    const url = request.url ?? "";
    const end = url.indexOf("?");
    return (end === -1 ? url : url.slice(0, end)) === this.options.path;
  }

  /**
   * Answers an upgrade that an HTTP server has received. `done` gets the socket once the
   * request is accepted.
   */
  handleUpgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    done: (socket: InstanceType<S>, request: IncomingMessage) => void,
  ): void {
    socket.on("error", destroy);
    const handshake = new native.NativeHandshake(
      request.method ?? "",
      request.url ?? "",
      request.httpVersion,
      request.rawHeaders,
      this.#settings,
    );
    const { refusal } = handshake;
    if (refusal) {
      const error = new Error(refusal.body.trimEnd());
      if (this.listenerCount("wsClientError") > 0) {
        this.emit("wsClientError", error, socket, request);
      } else {
        refuse(socket, refusal.status, refusal.body, Object.fromEntries(refusal.headers));
      }
      return;
    }
    if (!this.shouldHandle(request)) {
      refuse(socket, 400);
      return;
    }
    this.#judge(request, handshake, (accepted, status, message, headers) => {
      if (!accepted) refuse(socket, status || 401, message, headers);
      else this.#accept(request, socket, head, handshake, done);
    });
  }

  /** Asks the program, or the policy on origins. */
  #judge(request: IncomingMessage, handshake: NativeHandshake, done: VerifyClientDone): void {
    const secure = (request.socket as Partial<TLSSocket>).encrypted === true;
    const { verifyClient, origin = "same-site" } = this.options;
    if (verifyClient) {
      const info = { origin: request.headers.origin as string, secure, req: request };
      if (verifyClient.length === 2) {
        Reflect.apply(verifyClient, this.options, [info, done]);
      } else {
        done(Boolean(Reflect.apply(verifyClient, this.options, [info])));
      }
      return;
    }
    const [policy, allowed] = typeof origin === "string" ? [origin, []] : ["list", [...origin]];
    const why = handshake.judgeOrigin(policy, allowed, secure);
    if (why === null) done(true);
    else done(false, 403, `${why} (the server's option origin says which)\n`);
  }

  #accept(
    request: IncomingMessage,
    stream: Duplex,
    head: Buffer,
    handshake: NativeHandshake,
    done: (socket: InstanceType<S>, request: IncomingMessage) => void,
  ): void {
    if (TAKEN in stream) {
      throw new Error(
        "expected a connection that was not upgraded yet, got one that was: handleUpgrade() was called twice",
      );
    }
    if (!stream.readable || !stream.writable) {
      stream.destroy();
      return;
    }
    if (this.#state !== State.Running) {
      refuse(stream, 503);
      return;
    }
    const { offered } = handshake;
    const protocol = this.#protocol(offered, request);
    if (protocol !== undefined && !offered.includes(protocol)) {
      const what = `expected one of the subprotocols that the client offers (${offered.join(", ")})`;
      refuse(stream, 400, `${what}, the server chose another\n`);
      return;
    }
    const headers = handshake.accept(protocol);
    const lines = ["HTTP/1.1 101 Switching Protocols", ...headers.map(([name, value]) => `${name}: ${value}`)];
    const extensions = headers.find(([name]) => name === "Sec-WebSocket-Extensions")?.[1]?.split(";")[0] ?? "";
    this.emit("headers", lines, request);
    const response = `${lines.join("\r\n")}\r\n\r\n`;
    Object.defineProperty(stream, TAKEN, { value: true });

    const SocketClass = (this.options.WebSocket ?? ServerSocket) as typeof ServerSocket;
    const socket = new SocketClass() as InstanceType<S>;
    const number = socket.enter();
    try {
      (stream as Partial<Socket>).setTimeout?.(0);
      const taken = takeOver(stream, head, response, handshake, number);
      const bridge = taken ? undefined : new Bridge(stream, number);
      if (bridge) {
        socket.bridgeTo(bridge);
        stream.write(response);
        (stream as Partial<Socket>).setNoDelay?.();
      }
      const opened = taken ?? handshake.openBridge((bridge as Bridge).native, mailbox, number);
      const onEnd = (): void => this.#ended(socket);
      socket.opened({ native: opened, stream, protocol: protocol ?? "", extensions, onEnd });
      bridge?.start(head);
    } catch (error) {
      // The client is gone already, or the system has no room for it.
      socket.leave();
      stream.destroy();
      this.emit("wsClientError", error as Error, stream, request);
      return;
    }
    this.#open++;
    if (this.options.clientTracking) this.clients.add(socket);
    done(socket, request);
  }

  #ended(socket: InstanceType<S>): void {
    this.#open--;
    if (this.options.clientTracking) this.clients.delete(socket);
    if (this.#closeWhenEmpty && this.#open === 0) process.nextTick(() => this.#emitClose());
  }

  #protocol(offered: string[], request: IncomingMessage): string | undefined {
    const { handleProtocols } = this.options;
    if (offered.length === 0) return undefined;
    if (!handleProtocols) return offered[0];
    return handleProtocols(new Set(offered), request) || undefined;
  }
}

/** Marks streams that are a socket's. */
const TAKEN = Symbol("longwire");

function destroy(this: Duplex): void {
  this.destroy();
}

/**
 * Takes the connection out of Node's hands, where it is one of the system's: the native
 * half reads and writes it then, on a descriptor of its own. Node keeps its stream, which
 * knows the addresses and counts as a connection of its server, but never reads it.
 */
function takeOver(
  stream: Duplex,
  head: Buffer,
  response: string,
  handshake: NativeHandshake,
  number: number,
): NativeSocket | undefined {
  if (!(stream instanceof Socket) || stream instanceof TLSSocket || !handshake.openDescriptor) {
    return undefined;
  }
  const handle = (stream as unknown as { _handle?: Handle | null })._handle;
  const kind = handle?.constructor.name;
  const descriptor = handle?.fd;
  // What Node has still to write must go out before what we write.
  if (typeof descriptor !== "number" || descriptor < 0 || stream.writableLength > 0) return undefined;
  if (kind !== "TCP" && kind !== "Pipe") return undefined;
  stream.pause();
  const unhandled = [head];
  for (let chunk = stream.read() as Buffer | null; chunk; chunk = stream.read() as Buffer | null) {
    unhandled.push(chunk);
  }
  const taken = {
    descriptor,
    pipe: kind === "Pipe",
    head: Buffer.from(response),
    unhandled: Buffer.concat(unhandled),
  };
  const opened = handshake.openDescriptor(taken, mailbox, number);
  if (!opened) {
    if (taken.unhandled.length > head.length) stream.unshift(taken.unhandled.subarray(head.length));
    return undefined;
  }
  stream._read = () => {};
  handle?.readStop?.();
  if (handle) handle.reading = false;
  return opened;
}

/** Answers with another status than 101, and ends the connection. */
function refuse(
  socket: Duplex,
  status: number,
  text?: string | null,
  headers?: OutgoingHttpHeaders | null,
): void {
  const message = text || (STATUS_CODES[status] ?? "");
  const fields: OutgoingHttpHeaders = {
    Connection: "close",
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": Buffer.byteLength(message),
    ...headers,
  };
  const lines = Object.entries(fields).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((one) => `${name}: ${String(one)}`),
  );
  socket.once("finish", destroy);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines.join("\r\n")}\r\n\r\n${message}`);
}
