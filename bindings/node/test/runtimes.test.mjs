// The same package in other runtimes: `./test` in the repository's root installs them.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const FOLDER = fileURLToPath(new URL("runtimes/", import.meta.url));

for (const [name, ...options] of [["deno", "run", "--allow-all"], ["bun"]]) {
  const path = `${FOLDER}node_modules/.bin/${name}`;
  const skip = !existsSync(path) && process.env.CI !== "true" && `${name} is not installed`;
  test(`${name} loads the same file, as client and as server`, { skip, timeout: 60_000 }, async () => {
    const { stdout } = await promisify(execFile)(path, [...options, `${FOLDER}talk.mjs`]);
    assert.deepEqual(JSON.parse(stdout), {
      messages: ["text", 300_000, 4, "\ufffd"],
      close: [3000, "bye", true],
      stream: "stream",
      closed: 4000,
      thrown: [true, "SyntaxError"],
    });
  });
}
