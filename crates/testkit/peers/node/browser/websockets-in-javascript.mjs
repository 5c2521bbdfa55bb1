// The document "WebSockets in JavaScript": listeners, a close without a code, and an error.

import { assert, scenario, seed } from "./harness.mjs";

const snippet = (number) => seed(`websockets-in-javascript-${number}`);
const construct = [1, 2, 3].map(snippet);
// The document's own listeners for these two hold only a comment.
const witness = `
  socket.addEventListener("open", () => console.log("opened", socket.url));
  socket.addEventListener("message", (event) => console.log("message", event.data));
`;

await scenario(async (stage) => {
  const door = await stage.door();
  await stage.launch({ "example.com:80": door });

  const visit = await stage.open("http://example.com/");
  await visit.run(...construct, witness);
  await visit.until("log", "opened ws://example.com/socket");
  await visit.run(snippet(4));
  await visit.until("log", "message Hello, server!");
  await visit.run(snippet(5));
  // Closed without a code, a connection ends with 1005: "no status received".
  await visit.until("log", "Connection closed cleanly,\n  code=1005, reason=");
  assert.deepEqual(visit.of("error"), []);
  assert.equal(visit.of("log").length, 3);

  const alone = await stage.open("http://example.com/");
  await door.shut();
  await alone.run(...construct);
  await alone.until("error", "Connection abruptly closed");
  const said = alone.of("error").filter((text) => /^(WebSocket error:|Connection abruptly)/.test(text));
  assert.deepEqual(said, ["WebSocket error: Event", "Connection abruptly closed"]);
});
