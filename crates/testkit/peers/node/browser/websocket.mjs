// The document "Websocket": an echo on localhost, port 8080.

import { assert, scenario, seed } from "./harness.mjs";

await scenario(async (stage) => {
  await stage.launch({ "localhost:8080": await stage.door() });
  const visit = await stage.open("http://localhost:8080/");
  await visit.run(seed("websocket-1"));
  await visit.until("log", "Message from server  Hello Server!");
  assert.deepEqual(visit.of("websocket"), ["ws://localhost:8080/"]);
  assert.deepEqual(visit.of("error"), []);
});
