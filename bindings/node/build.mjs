// Builds the package: the native half by cargo, the TypeScript by tsc.

import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));

function run(command, ...args) {
  const { status, error } = spawnSync(command, args, { cwd: here, stdio: "inherit" });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

function cargo() {
  const args = ["build", "--release", "--locked", "--message-format=json-render-diagnostics"];
  const { status, error, stdout } = spawnSync("cargo", args, {
    cwd: here,
    stdio: ["inherit", "pipe", "inherit"],
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
  for (const line of stdout.split("\n")) {
    if (!line.startsWith("{")) continue;
    const message = JSON.parse(line);
    if (message.reason === "compiler-artifact" && message.target.name === "longwire_node") {
      return message.filenames.find((name) => /\.(so|dylib|dll)$/.test(name));
    }
  }
  throw new Error("expected cargo to build longwire_node, got no such artifact");
}

const library = cargo();
mkdirSync(join(here, "dist"), { recursive: true });
copyFileSync(library, join(here, "dist", "longwire.node"));
run(process.execPath, join(here, "node_modules", "typescript", "bin", "tsc"));
