// The tests of the standard in Chromium, on its own classes: they are right where a browser
// passes them. Where it does not, the table below says which of the two is wrong.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { chromium } from "playwright-core";
import { SECTIONS, sectionOf } from "./standard/harness.mjs";
import { start } from "./standard/server.mjs";

/** Where Chromium does otherwise than the standard, by test: what it does. */
const DIFFERENCES = {
  "constructor: a host has neither spaces nor percent signs": { does: "takes a host with a space" },
  "constructor: connections to one server are made one after the other, in their order": {
    does: "opens several at a time",
    sometimes: true,
  },
  "close: a code is rounded to the nearest, and to an even one between two": { does: "cuts the fraction off" },
  "close: a reason may be given without a code, which is 1000 then": { does: "takes an undefined code for 0 before a reason" },
  "feedback: every code from 0 to 5000 of a server is told, or fails the connection": {
    does: "tells codes that no Close frame may have",
  },
  "feedback: a connection that ends without a Close frame is an error and 1006": {
    does: "fires no error where the server just ends the connection (RFC 6455 section 7.2.1: it is to be failed)",
  },
  "events: a close event is made with its dictionary": { does: "takes reason for a DOMString" },
  "events: a message event is made with its dictionary": { does: "takes origin for a DOMString" },
  "events: both are events by all that shows": { does: "has a member userActivation" },
  "stream: messages go both ways, each as what it is": { does: "hands out ArrayBuffers in place of Uint8Arrays" },
  "stream: data is that of the moment of writing": { does: "hands out ArrayBuffers in place of Uint8Arrays" },
  "stream: a signal that is aborted already opens nothing": { does: "rejects with an AbortError, not the signal's reason" },
  "stream: a signal gives up a connection that is being opened, with its reason": {
    does: "rejects with an AbortError, not the signal's reason",
  },
  "stream: codes and reasons are judged": { does: "takes closeCode modulo 65536, without [EnforceRange]" },
  "stream: a server that does not read makes writes wait, until it is gone": { does: "crashes", sometimes: true },
  "error: it is a DOMException with a code and a reason": { does: "gives it no stack" },
  "error: every code from 0 to 5000 is judged": { does: "takes closeCode modulo 65536, without [EnforceRange]" },
};

const NAMES = ["chromium", "chromium-browser", "google-chrome"];
const folders = (process.env.PATH ?? "").split(":");
const executablePath =
  process.env.CHROMIUM ?? folders.flatMap((folder) => NAMES.map((name) => join(folder, name))).find(existsSync);
const skip = !executablePath && process.env.CI !== "true" && "Chromium is not installed";

/** How long one test may take, in milliseconds. */
const PATIENCE = 60_000;

/** Runs one test in a page of its own: what it failed with. */
async function run(browser, server, name, title) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  try {
    const page = await context.newPage();
    await page.goto(`${server.http}/`);
    return await page.evaluate(
      async ([server, name, title, patience]) => {
        const ask = async (path) => (await fetch(path)).json();
        const env = {
          ...{ CloseEvent, MessageEvent, WebSocket, WebSocketError, WebSocketStream },
          ...server,
          origin: location.origin,
          // Chromium lets a page wait that has failed often.
          refusals: (await ask("/refusals")).filter((_, i) => i % 4 === 0),
          recorded: (id) => ask(`/recorded?id=${id}`),
          count: (id) => ask(`/count?id=${id}`),
          cut: () => fetch("/cut").catch(() => {}),
          quietly: (run) => run(),
          step: 97,
        };
        const { sectionOf } = await import("/harness.mjs");
        const tests = await sectionOf(name, env);
        const late = new Promise((_, reject) => {
          setTimeout(() => reject(new Error("not done in time")), patience);
        });
        try {
          await Promise.race([tests.find((test) => test.title === title).run(), late]);
          return undefined;
        } catch (error) {
          return `${error.message}\n${error.stack}`;
        }
      },
      [server, name, title, PATIENCE],
    );
  } catch (error) {
    return error.message;
  } finally {
    await context.close().catch(() => {});
  }
}

describe("in Chromium", { skip }, async () => {
  const stopping = [];
  let browser;
  let server;

  before(async () => {
    assert.ok(executablePath, "expected Chromium, got none");
    server = await start({ after: (stop) => stopping.push(stop) });
    browser = await chromium.launch({
      executablePath,
      args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--ignore-certificate-errors"],
    });
  });

  after(async () => {
    await browser?.close();
    for (const stop of stopping) stop();
  });

  for (const name of SECTIONS) {
    for (const { title } of await sectionOf(name, {})) {
      const difference = DIFFERENCES[`${name}: ${title}`];
      test(`${name}: ${title}`, async (t) => {
        const failure = await run(browser, server, name, title);
        if (difference === undefined) {
          assert.equal(failure, undefined);
        } else {
          t.diagnostic(`Chromium is wrong: it ${difference.does}`);
          assert.ok(failure !== undefined || difference.sometimes, `expected Chromium to do otherwise`);
        }
      });
    }
  }
});
