// Two sockets of a page loaded over HTTP/2 go over the connection of the page.

import { assert, scenario, server } from "./harness.mjs";

await scenario(async (stage) => {
  await stage.launch();
  const visit = await stage.open(`${server.origin}/`, { ignoreHTTPSErrors: true });
  const protocol = await visit.run("performance.getEntriesByType('navigation')[0].nextHopProtocol");
  assert.equal(protocol, "h2");
  await visit.run(`
    const open = () => new Promise((resolve, reject) => {
      const socket = new WebSocket("wss://" + location.host + "/echo");
      socket.onopen = () => resolve(socket);
      socket.onerror = () => reject(new Error("not opened"));
    });
    const echoed = (socket, text) => new Promise((resolve) => {
      socket.onmessage = ({ data }) => resolve(data === text);
      socket.send(text);
    });
    (async () => {
      const sockets = [await open(), await open()];
      const long = "a".repeat(300000);
      const same = await Promise.all(sockets.map((socket, i) => echoed(socket, i + long)));
      const closed = sockets.map((socket) => new Promise((resolve) => (socket.onclose = resolve)));
      sockets.forEach((socket) => socket.close(4000, "done"));
      const ends = await Promise.all(closed);
      console.log(JSON.stringify({ same, ends: ends.map(({ code, wasClean }) => [code, wasClean]) }));
    })().catch((error) => console.log(String(error)));
  `);
  const expected = { same: [true, true], ends: [[4000, true], [4000, true]] };
  await visit.until("log", JSON.stringify(expected));
});
