// Throughput of servers: ours and `ws`, each in a process of its own, echoing to the same
// client in Rust.
//
//   cargo build --release --manifest-path ../../bench/Cargo.toml && node bench/server.mjs

import { execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const LOAD = fileURLToPath(new URL("../../../bench/target/release/load", import.meta.url));
const NAMES = ["longwire", "ws"];
/** Bytes, messages, connections, messages on their way on each. */
const CASES = [
  [20, 300_000, 1, 500],
  [1 << 10, 200_000, 1, 500],
  [64 << 10, 10_000, 1, 64],
  [1 << 20, 800, 1, 4],
  [20, 300_000, 100, 1],
  [1 << 10, 200_000, 100, 1],
  [64 << 10, 10_000, 100, 1],
];
const ROUNDS = 3;

if (process.send) {
  const { WebSocketServer } = await import(process.argv[2]);
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  server.on("connection", (socket) => {
    socket.on("message", (data, binary) => socket.send(data, { binary }));
  });
  await once(server, "listening");
  process.send(server.address().port);
  await once(process, "disconnect");
  process.exit();
}

const rates = CASES.map(() => ({}));
for (const name of NAMES) {
  const child = fork(fileURLToPath(import.meta.url), [name]);
  const [port] = await once(child, "message");
  for (const [i, parameters] of CASES.entries()) {
    const rounds = Array.from({ length: ROUNDS }, () =>
      Number(execFileSync(LOAD, [`ws://127.0.0.1:${port}/`, ...parameters.map(String)])),
    );
    rates[i][name] = Math.max(...rounds);
  }
  child.disconnect();
  await once(child, "exit");
}
console.log("| bytes | connections | longwire, messages/s | ws, messages/s | longwire : ws |");
console.log(`|${"---|".repeat(5)}`);
for (const [i, [size, , connections]] of CASES.entries()) {
  const { longwire, ws } = rates[i];
  const figures = [longwire, ws].map((rate) => Math.round(rate));
  console.log(`| ${size} | ${connections} | ${figures.join(" | ")} | ${(longwire / ws).toFixed(2)} |`);
}
