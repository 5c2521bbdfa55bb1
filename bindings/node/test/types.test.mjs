// The types that the package comes with.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

test("a program in TypeScript is checked under --strict, and its mistakes are found", () => {
  const tsc = fileURLToPath(import.meta.resolve("typescript/bin/tsc"));
  const file = fileURLToPath(new URL("types/use.mts", import.meta.url));
  const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "--types", "node"];
  const { status, stdout } = spawnSync(process.execPath, [tsc, ...options, file], { encoding: "utf8" });
  assert.equal(status, 0, stdout);
});
