// The package as it is installed.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const npm = process.platform === "win32" ? "npm.cmd" : "npm";

test("a packed tarball installs in an empty folder and runs", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "longwire-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const here = fileURLToPath(new URL("..", import.meta.url));
  const packed = execFileSync(npm, ["pack", "--silent", "--pack-destination", folder], { cwd: here, encoding: "utf8" });
  writeFileSync(join(folder, "package.json"), "{}");
  const install = ["install", "--silent", "--no-audit", "--no-fund", "--offline", join(folder, packed.trim())];
  execFileSync(npm, install, { cwd: folder });
  const script = "import { WebSocket } from 'longwire'; import 'longwire/register'; console.log(WebSocket === globalThis.WebSocket, new WebSocket('ws://h.invalid').readyState); process.exit()";
  const out = execFileSync(process.execPath, ["--input-type=module", "-e", script], { cwd: folder, encoding: "utf8" });
  assert.equal(out.trim(), "true 0");
  const required = "const { WebSocket } = require('longwire'); console.log(WebSocket.OPEN)";
  assert.equal(execFileSync(process.execPath, ["-e", required], { cwd: folder, encoding: "utf8" }).trim(), "1");
});
