// The document "WebSocket API" (Key Interfaces): connect, send, receive, close; and an error.

import { assert, scenario, seed } from "./harness.mjs";

const snippet = (number) => seed(`websocket-api-interfaces-${number}`);
const construct = [1, 3, 4, 5, 6].map(snippet);

await scenario(async (stage) => {
  const door = await stage.door();
  await stage.launch({ "example.com:80": door });

  const visit = await stage.open("http://example.com/");
  await visit.run(...construct);
  await visit.until("log", "Connection opened.");
  await visit.run(snippet(2));
  await visit.until("log", "Message from server: Hello, Server!");
  await visit.run(snippet(7));
  await visit.until("log", "Connection closed: 1000 Normal closure");
  assert.deepEqual(visit.of("log"), [
    "Connection opened.",
    "Message from server: Hello, Server!",
    "Connection closed: 1000 Normal closure",
  ]);
  assert.deepEqual(visit.of("error"), []);

  const alone = await stage.open("http://example.com/");
  await door.shut();
  await alone.run(...construct, "socket.addEventListener('close', (event) => console.log('clean', event.wasClean));");
  await alone.until("log", "clean false");
  const said = alone.seen.filter(({ text }) => /^(WebSocket error:|Connection|clean)/.test(text)).map(({ text }) => text);
  assert.deepEqual(said, ["WebSocket error: Event", "Connection closed: 1006 ", "clean false"]);
});
