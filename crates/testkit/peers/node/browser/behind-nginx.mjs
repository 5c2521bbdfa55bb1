// The demo page and its socket through nginx, which speaks TLS on the Unix socket
// that TOLD names.

import { assert, scenario } from "./harness.mjs";

await scenario(async (stage) => {
  const door = await stage.door({ path: process.env.TOLD });
  await stage.launch({ "example.test:443": door });
  const visit = await stage.open("https://example.test/", { ignoreHTTPSErrors: true });
  assert.equal(visit.response.status(), 200);
  const { page } = visit;
  assert.match(await page.title(), /Longwire/);
  await visit.run(`
    const socket = new WebSocket("wss://example.test/echo");
    socket.onopen = () => socket.send("through nginx");
    socket.onmessage = ({ data }) => { console.log(data); socket.close(1000); };
    socket.onclose = ({ code }) => console.log("closed " + code);
  `);
  await visit.until("log", "through nginx");
  await visit.until("log", "closed 1000");
});
