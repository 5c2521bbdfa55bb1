// What the tests of the standard are written with, in Node and in a browser.

/** All sections, in the order of the standard. */
export const SECTIONS = [
  "connection",
  "interface",
  "constructor",
  "send",
  "sizes",
  "close",
  "feedback",
  "events",
  "stream",
  "error",
];

class AssertionError extends Error {}

function shown(value) {
  if (typeof value === "string") return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}...` : value);
  if (Array.isArray(value)) return `[${value.slice(0, 30).map(shown).join(", ")}]`;
  try {
    return String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}

export function equal(got, expected, what = "") {
  if (!Object.is(got, expected)) throw new AssertionError(`${what} expected ${shown(expected)}, got ${shown(got)}`);
}

export function ok(value, what = "") {
  if (!value) throw new AssertionError(`${what} expected what is true, got ${shown(value)}`);
}

/** Arrays, compared item by item. */
export function same(got, expected, what = "") {
  const alike = (a, b) =>
    Array.isArray(a) && Array.isArray(b) ? a.length === b.length && a.every((item, i) => alike(item, b[i])) : Object.is(a, b);
  if (!alike(got, expected)) throw new AssertionError(`${what} expected ${shown(expected)}, got ${shown(got)}`);
}

function isThrown(error, expected, what) {
  if (typeof expected === "string") {
    ok(error instanceof DOMException, `${what}: a DOMException is`);
    equal(error.name, expected, what);
  } else if (typeof expected === "function") {
    ok(error instanceof expected, `${what}: ${expected.name}, got ${shown(error)}:`);
  } else {
    equal(error, expected, what);
  }
}

/** Expects a DOMException of a name, an instance of a class, or this very value. */
export function throws(run, expected, what = "") {
  try {
    run();
  } catch (error) {
    isThrown(error, expected, what);
    return error;
  }
  throw new AssertionError(`${what} expected ${shown(expected)} to be thrown, got nothing`);
}

export async function rejects(promise, expected, what = "") {
  try {
    await promise;
  } catch (error) {
    isThrown(error, expected, what);
    return error;
  }
  throw new AssertionError(`${what} expected a rejection with ${shown(expected)}, got none`);
}

/** The next event of a type. */
export function next(target, type) {
  return new Promise((resolve, reject) => {
    target.addEventListener(type, resolve, { once: true });
    if (type === "close") return;
    target.addEventListener("close", ({ code }) => reject(new AssertionError(`expected ${type}, got close ${code}`)), {
      once: true,
    });
  });
}

/** Names of all events with the state they come in, up to the close event; and that. */
export async function toTheEnd(socket) {
  const names = [];
  for (const type of ["open", "message", "error", "close"]) {
    socket.addEventListener(type, () => names.push(`${type} ${socket.readyState}`));
  }
  const close = await next(socket, "close");
  return { names, close };
}

/** What a close event has. */
export const told = ({ code, reason, wasClean }) => [code, reason, wasClean];

let ids = 0;

/** What nobody else has as theirs. */
export const unique = () => `${Date.now()}-${Math.random()}-${ids++}`;

/** A turn of the event loop. */
export const turn = () => new Promise((resolve) => setTimeout(resolve));

/** A socket that is open. */
export async function opened(WebSocket, url, protocols = []) {
  const socket = new WebSocket(url, protocols);
  socket.binaryType = "arraybuffer";
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve);
    socket.addEventListener("error", () => reject(new AssertionError(`${url} could not be opened`)));
  });
  return socket;
}

/** The tests of a section. `env` has the classes, and where the server is. */
export async function sectionOf(name, env) {
  const tests = [];
  const { default: define } = await import(`./${name}.mjs`);
  define((title, run) => tests.push({ title, run: () => run(env) }), env);
  return tests;
}
