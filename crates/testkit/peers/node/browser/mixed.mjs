// A page exchanges a thousand mixed messages with the echo: empty to 1 MiB, text
// and binary, random and not. TOLD says what extension is agreed on.

import { assert, scenario, server } from "./harness.mjs";

function exchange(url) {
  let state = 20;
  const random = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const words = ["alpha", "beta", "gämma", "δέλτα", '{"key": ', "true, ", "𝄞", " ", "0.125"];
  const size = (i) => {
    const kind = random();
    if (i === 500) return 1 << 20;
    if (kind < 0.02) return 0;
    if (kind < 0.72) return Math.floor(random() * 300);
    if (kind < 0.94) return Math.floor(random() * 4096);
    if (kind < 0.995) return Math.floor(random() * 32768);
    return 65536 + Math.floor(random() * 131072);
  };
  const message = (i) => {
    const length = size(i);
    if (random() < 0.3) {
      return Uint8Array.from({ length }, () => random() * 256);
    }
    let text = "";
    while (text.length + 8 < length) text += words[Math.floor(random() * words.length)];
    return random() < 0.5 ? text : new TextEncoder().encode(text);
  };
  const same = (sent, got) => {
    if (typeof sent === "string") return sent === got;
    const bytes = new Uint8Array(got);
    return bytes.length === sent.length && bytes.every((byte, i) => byte === sent[i]);
  };
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  const expected = [];
  let sent = 0;
  let received = 0;
  const send = () => {
    if (sent === 1000) return;
    const next = message(sent++);
    expected.push(next);
    socket.send(next);
  };
  socket.onopen = () => {
    console.log(`extensions: ${socket.extensions}`);
    for (let i = 0; i < 16; i++) send();
  };
  socket.onmessage = ({ data }) => {
    if (!same(expected.shift(), data)) console.log(`message ${received} came back changed`);
    received++;
    send();
    if (received === 1000) socket.close(1000);
  };
  socket.onclose = ({ code }) => console.log(`${received} came back, then ${code}`);
}

await scenario(async (stage) => {
  await stage.launch();
  const visit = await stage.open(`${server.origin}/`);
  await visit.run(`(${exchange})(${JSON.stringify(`ws://${server.host}/echo`)})`);
  await visit.until("log", (text) => text.startsWith("1000 came back") || text.includes("changed"));
  const told = visit.of("log").filter((text) => !text.startsWith("extensions: "));
  assert.deepEqual(told, ["1000 came back, then 1000"]);
  assert.ok(visit.of("log").includes(`extensions: ${process.env.TOLD}`), visit.of("log").join());
});
