// What every browser scenario needs: a Chromium that believes the names it is told, doors through
// which a name leads to the server (or, once shut, nowhere), and pages that record what happens.
//
// Environment: LONGWIRE_URL, where `longwire serve` answers; CHROMIUM, the browser's path.
// A scenario ends with status 0, or with 1 and the reason on standard error.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import tls from "node:tls";
import { chromium } from "playwright-core";

export { default as assert } from "node:assert/strict";

const WAIT_MS = 15_000;
const SCENARIO_MS = 60_000;

const { LONGWIRE_URL, CHROMIUM } = process.env;

/** The server under test. */
export const server = new URL(LONGWIRE_URL ?? "http://LONGWIRE_URL-is-not-set");

/** A snippet of a document, exactly as it stands there. */
export function seed(name) {
  return readFileSync(new URL(`seeds/${name}.js`, import.meta.url), "utf8");
}

/** Runs a scenario and cleans up behind it, whether it succeeds or not. */
export async function scenario(body) {
  const stage = new Stage();
  // The browser goes with this process.
  const deadline = setTimeout(() => {
    stage.fail(new Error(`not done after ${SCENARIO_MS} ms`));
    process.exit();
  }, SCENARIO_MS);
  try {
    await body(stage);
  } catch (error) {
    stage.fail(error);
  } finally {
    clearTimeout(deadline);
    await stage.clean();
  }
}

class Stage {
  #cleaning = [];
  #visits = [];
  #browser;

  /** A port that leads to `target` (the server, unless told), until it is shut. */
  async door(target = server) {
    return this.#keep(await Door.open((onConnection) => net.createServer(onConnection), target));
  }

  /** The same behind TLS, with a certificate made for the occasion. */
  async tlsDoor(host) {
    const certificate = makeCertificate(host);
    return this.#keep(await Door.open((onConnection) => tls.createServer(certificate, onConnection), server));
  }

  #keep(door) {
    this.#cleaning.push(() => door.shut());
    return door;
  }

  /** Starts the browser. `names` maps "host:port" to the door (anything with a `port`) it leads to. */
  async launch(names = {}) {
    const rules = Object.entries(names).map(([name, { port }]) => `MAP ${name} 127.0.0.1:${port}`);
    this.#browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--ignore-certificate-errors",
        `--host-resolver-rules=${rules.join(", ")}`,
      ],
    });
    this.#cleaning.unshift(() => this.#browser.close());
  }

  /** Opens an address in a browser profile of its own. */
  async open(address, options = {}) {
    const context = await this.#browser.newContext(options);
    const visit = new Visit(await context.newPage(), new URL(address).origin);
    this.#visits.push(visit);
    visit.response = await visit.page.goto(address);
    return visit;
  }

  fail(error) {
    process.exitCode = 1;
    console.error(error.stack ?? error);
    for (const visit of this.#visits) {
      console.error(`\n${visit.page.url()} saw:`);
      for (const { at, kind, text } of visit.seen) {
        console.error(`  ${(at / 1000).toFixed(3)} s  ${kind}: ${text}`);
      }
    }
  }

  async clean() {
    for (const step of this.#cleaning) {
      await step();
    }
  }
}

/** A TCP port that passes bytes on to the server, so that a test can take the server away. */
class Door {
  #listener;
  #sockets = new Set();

  static async open(listen, target) {
    const door = new Door();
    door.#listener = listen((socket) => door.#connect(socket, target));
    await new Promise((resolve) => door.#listener.listen(0, "127.0.0.1", resolve));
    door.port = door.#listener.address().port;
    return door;
  }

  #connect(inside, { hostname, port, path }) {
    const outside = net.connect(path ? { path } : { host: hostname, port: Number(port), noDelay: true });
    for (const [socket, other] of [[inside, outside], [outside, inside]]) {
      this.#sockets.add(socket);
      socket.on("error", () => other.destroy());
      socket.on("close", () => this.#sockets.delete(socket));
      socket.pipe(other);
    }
  }

  /** Ends every connection; from now on a new one is refused. */
  async shut() {
    const closed = new Promise((resolve) => this.#listener.close(resolve));
    for (const socket of this.#sockets) {
      socket.destroy();
    }
    await closed;
  }
}

/** A page, and all it logged, alerted, threw and asked for, in order. */
class Visit {
  seen = [];
  #waiting = new Set();
  #began = performance.now();
  #session;

  constructor(page, origin) {
    this.page = page;
    this.origin = origin;
    page.on("console", (message) => this.#saw(message.type(), message.text()));
    page.on("pageerror", (error) => this.#saw("pageerror", String(error)));
    page.on("request", (request) => this.#saw("request", request.url()));
    page.on("websocket", (socket) => this.#saw("websocket", socket.url()));
    page.on("dialog", (dialog) => {
      this.#saw(dialog.type(), dialog.message());
      dialog.accept();
    });
  }

  #saw(kind, text) {
    this.seen.push({ at: performance.now() - this.#began, kind, text });
    for (const look of this.#waiting) {
      look();
    }
  }

  /** What was seen of one kind, as text. */
  of(kind) {
    return this.seen.filter((entry) => entry.kind === kind).map((entry) => entry.text);
  }

  /** Waits until something of this kind and text (or one that the function accepts) is seen. */
  async until(kind, text) {
    const matches = typeof text === "function" ? text : (seen) => seen === text;
    const find = () => this.seen.find((entry) => entry.kind === kind && matches(entry.text));
    return find() ?? new Promise((resolve, reject) => {
      const give = (settle, value) => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        settle(value);
      };
      const look = () => find() && give(resolve, find());
      const timer = setTimeout(() => give(reject, new Error(`waited ${WAIT_MS} ms for ${kind}: ${text}`)), WAIT_MS);
      this.#waiting.add(look);
    });
  }

  /**
   * Runs pieces of source as one classic script of the page, as `<script>` would: top-level
   * names last, strict mode is off, and the page's Content-Security-Policy stays in force.
   */
  async run(...pieces) {
    this.#session ??= await this.page.context().newCDPSession(this.page);
    const { result, exceptionDetails } = await this.#session.send("Runtime.evaluate", { expression: pieces.join("\n") });
    if (exceptionDetails) {
      const { className, description } = exceptionDetails.exception;
      throw new Thrown(className, description.split("\n")[0]);
    }
    return result.value;
  }
}

/** What a script in the page threw: the class of the object, and its name and message. */
export class Thrown extends Error {
  constructor(className, message) {
    super(message);
    this.className = className;
  }
}

function makeCertificate(host) {
  const folder = mkdtempSync(path.join(os.tmpdir(), "longwire-browser-"));
  const [key, cert] = ["key.pem", "cert.pem"].map((name) => path.join(folder, name));
  try {
    execFileSync("openssl", [
      "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
      "-subj", `/CN=${host}`, "-addext", `subjectAltName=DNS:${host}`, "-keyout", key, "-out", cert,
    ], { stdio: ["ignore", "ignore", "pipe"] });
    return { key: readFileSync(key), cert: readFileSync(cert) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
