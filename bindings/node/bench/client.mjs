// Throughput of clients: ours, `ws`, and undici's WebSocket where Node has it, each in a
// process of its own against the same server, which echoes.
//
//   node bench/client.mjs ws://127.0.0.1:8000/echo

import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const CASES = [
  [20, 100_000],
  [1 << 10, 100_000],
  [64 << 10, 8_000],
  [1 << 20, 500],
];
const ROUNDS = 3;
/** Messages on their way at a time. */
const WINDOW = 500;

const implementations = {
  longwire: async () => (await import("longwire")).WebSocket,
  ws: async () => (await import("ws")).WebSocket,
  undici: async () => (await import("undici")).WebSocket,
};

async function measure(Socket, url, size, count) {
  const socket = new Socket(url);
  socket.binaryType = "arraybuffer";
  const data = new Uint8Array(size).fill(7);
  const window = Math.max(4, Math.min(WINDOW, (4 << 20) / size));
  let sent = 0;
  let received = 0;
  await new Promise((resolve, reject) => {
    socket.addEventListener("error", reject);
    socket.addEventListener("open", resolve);
  });
  const start = performance.now();
  await new Promise((resolve) => {
    socket.addEventListener("message", () => {
      received++;
      if (received === count) resolve();
      if (sent < count) {
        sent++;
        socket.send(data);
      }
    });
    while (sent < window && sent < count) {
      sent++;
      socket.send(data);
    }
  });
  const seconds = (performance.now() - start) / 1000;
  socket.close();
  return count / seconds;
}

if (process.send) {
  const [name, url] = process.argv.slice(2);
  try {
    const Socket = await implementations[name]();
    for (const [size, count] of CASES) {
      const rates = [];
      for (let round = 0; round < ROUNDS; round++) rates.push(await measure(Socket, url, size, count));
      process.send({ size, rate: Math.max(...rates) });
    }
  } catch (error) {
    process.send({ missing: error.code ?? error.message });
  }
  process.exit();
}

const url = process.argv[2] ?? "ws://127.0.0.1:8000/echo";
const results = {};
for (const name of Object.keys(implementations)) {
  const child = fork(fileURLToPath(import.meta.url), [name, url]);
  child.on("message", ({ size, rate, missing }) => {
    if (missing) console.error(`${name} is left out: ${missing}`);
    else (results[name] ??= {})[size] = rate;
  });
  await once(child, "close");
}
const names = Object.keys(results);
console.log(`| bytes | ${names.map((name) => `${name}, messages/s`).join(" | ")} | ${names.slice(1).map((name) => `longwire : ${name}`).join(" | ")} |`);
console.log(`|${"---|".repeat(2 * names.length)}`);
for (const [size] of CASES) {
  const rates = names.map((name) => Math.round(results[name][size]));
  const ratios = names.slice(1).map((name) => (results.longwire[size] / results[name][size]).toFixed(2));
  console.log(`| ${size} | ${rates.join(" | ")} | ${ratios.join(" | ")} |`);
}
