// The tests of the standard under Node, on our classes.

import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { configure, CookieJar, CloseEvent, MessageEvent, WebSocket, WebSocketError, WebSocketStream } from "longwire";
import { certificate } from "./certificate.mjs";
import { SECTIONS, sectionOf } from "./standard/harness.mjs";
import { start } from "./standard/server.mjs";

const stopping = [];
const server = await start({ after: (stop) => stopping.push(stop) });
after(() => {
  for (const stop of stopping) stop();
});

const ask = async (path) => (await fetch(`${server.http}${path}`)).json();

// What a page of this server would bring along.
const cookieJar = new CookieJar();
for (const cookie of (await fetch(`${server.http}/`)).headers.getSetCookie()) cookieJar.set(`${server.http}/`, cookie);
configure({ baseURL: `${server.http}/`, origin: server.http, ca: certificate().cert, cookieJar });

const env = {
  ...{ CloseEvent, MessageEvent, WebSocket, WebSocketError, WebSocketStream, SharedArrayBuffer },
  ...server,
  origin: server.http,
  step: 1,
  refusals: await ask("/refusals"),
  recorded: (id) => ask(`/recorded?id=${id}`),
  count: (id) => ask(`/count?id=${id}`),
  cut: () => fetch(`${server.http}/cut`).catch(() => {}),
  /** Runs what throws where nobody catches it. */
  async quietly(run) {
    const listeners = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    let caught = 0;
    process.on("uncaughtException", () => caught++);
    try {
      await run();
    } finally {
      process.removeAllListeners("uncaughtException");
      for (const listener of listeners) process.on("uncaughtException", listener);
    }
    assert.equal(caught, 1);
  },
};

for (const name of SECTIONS) {
  describe(name, async () => {
    for (const { title, run } of await sectionOf(name, env)) test(title, run);
  });
}
