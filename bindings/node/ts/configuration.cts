// What a document would bring along, for the process, and options of one socket.

import { readFileSync } from "node:fs";

import { heartbeatOptions, MOST, number, type HeartbeatOptions } from "./socket-options.cjs";
import { native, type NativeCookieJar, type NativeOptions } from "./native.cjs";

/** Cookies that servers have set and get back. */
export class CookieJar {
  /** @internal */
  readonly native: NativeCookieJar = new native.NativeCookieJar();

  /** Puts in a cookie as if the server at this URL had sent it as `Set-Cookie`. */
  set(url: string, cookie: string): void {
    this.native.set(url, cookie);
  }

  /** The `Cookie` header that the server at this URL would get, if any. */
  header(url: string): string | null {
    return this.native.header(url) ?? null;
  }
}

/** What `configure` sets for the process. */
export interface Configuration {
  /** What relative URLs are relative to. */
  baseURL?: string | URL | undefined;
  /** The origin that servers are told, such as `https://example.com`. */
  origin?: string | undefined;
  /** Certificates in PEM that are trusted beside the system's. */
  ca?: string | undefined;
  /** Cookies. */
  cookieJar?: CookieJar | undefined;
  /** The URL of a proxy, or `false` for none whatever the environment says. */
  proxy?: string | false | undefined;
}

/** What browsers do not have: the third argument of the constructors. */
export interface WebSocketOptions extends Configuration {
  /** Headers of the request. */
  headers?: Record<string, string> | Iterable<readonly [string, string]> | undefined;
  /** Whether any certificate of the server is taken: for tests alone. */
  rejectUnauthorized?: boolean | undefined;
  /** Whether messages may be compressed: they may. */
  perMessageDeflate?: boolean | undefined;
  /** A certificate of the client's own in PEM, and its key. */
  cert?: string | undefined;
  key?: string | undefined;
  /** The name that the server's certificate is to have, in place of the URL's host. */
  servername?: string | undefined;
  /**
   * Milliseconds that each step up to the open connection may take: 10,000, but 240,000
   * for the server's answer to the handshake.
   */
  handshakeTimeout?: number | undefined;
  /** Milliseconds that the closing handshake may take: 10,000. */
  closeTimeout?: number | undefined;
  /** Largest message received, in bytes: 256 MiB. */
  maxPayload?: number | undefined;
  /** Milliseconds from one ping to the next, and to answer one: 20,000 each. */
  heartbeat?: HeartbeatOptions | false | undefined;
}

let configuration: Configuration = {};

/** Sets, for the process, what a document would bring along. */
export function configure(settings: Configuration): void {
  configuration = { ...configuration, ...settings };
}

function headersOf(headers: WebSocketOptions["headers"]): string[][] {
  if (headers === undefined) return [];
  const pairs = Symbol.iterator in headers ? headers : Object.entries(headers);
  return Array.from(pairs, ([name, value]) => [String(name), String(value)]);
}

/** Certificates that the environment names. */
function environmentCa(): string {
  const files = [process.env["NODE_EXTRA_CA_CERTS"], process.env["SSL_CERT_FILE"]];
  const found = files.filter((file): file is string => Boolean(file));
  return found.map((file) => {
    try {
      return readFileSync(file, "utf8");
    } catch {
      process.emitWarning(`the certificates of ${file} could not be read`);
      return "";
    }
  }).join("\n");
}

let extraCa: string | undefined;

/** @internal */
export function nativeOptions(options: WebSocketOptions): [NativeOptions, NativeCookieJar | undefined] {
  const all: WebSocketOptions = { ...configuration, ...options };
  extraCa ??= environmentCa();
  const ca = [extraCa, all.ca ?? ""].filter(Boolean).join("\n");
  const result: NativeOptions = { headers: headersOf(all.headers) };
  if (all.baseURL !== undefined) result.baseUrl = String(all.baseURL);
  if (all.origin !== undefined) result.origin = all.origin;
  if (ca) result.ca = ca;
  if (all.rejectUnauthorized === false) result.insecure = true;
  if (all.proxy !== undefined) result.proxy = all.proxy === false ? "" : all.proxy;
  if (all.perMessageDeflate !== undefined) result.perMessageDeflate = all.perMessageDeflate;
  if ((all.cert === undefined) !== (all.key === undefined)) {
    throw new TypeError("expected the options cert and key together, got one of them");
  }
  if (all.cert !== undefined) result.cert = all.cert;
  if (all.key !== undefined) result.key = all.key;
  if (all.servername !== undefined) result.serverName = all.servername;
  for (const name of ["handshakeTimeout", "closeTimeout", "maxPayload"] as const) {
    const value = all[name];
    if (value !== undefined) result[name] = number(name, value, 1, MOST);
  }
  Object.assign(result, heartbeatOptions(all.heartbeat));
  return [result, all.cookieJar?.native];
}
