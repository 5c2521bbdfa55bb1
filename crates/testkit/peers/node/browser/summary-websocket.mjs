// The document "Summary | WebSocket": the constructor with and without its site's highlighting
// marks, and the hello demo over TLS, as the site serves it.

import { Thrown, assert, scenario, seed } from "./harness.mjs";

await scenario(async (stage) => {
  const plain = await stage.door();
  const secure = await stage.tlsDoor("javascript.info");
  await stage.launch({ "javascript.info:80": plain, "javascript.info:443": secure });

  await theMarksAreNoAddress(stage);
  await withoutTheMarksItOpens(await stage.open("http://javascript.info/"));
  const alone = await stage.open("https://javascript.info/");
  await theDemoGreetsAndCloses(await stage.open("https://javascript.info/"));
  await secure.shut();
  await alone.run(seed("summary-websocket-2"));
  await alone.until("alert", "[close] Connection died");
  assert.deepEqual(alone.of("alert"), ["[error]", "[close] Connection died"]);
});

// With the marks the argument is no absolute URL. The standard parses it against the document's
// base URL: a document that has none to offer throws, any other asks its own host for an odd path.
async function theMarksAreNoAddress(stage) {
  const marked = seed("summary-websocket-1");

  const blank = await stage.open("about:blank");
  await assert.rejects(blank.run(marked), (error) => {
    assert.ok(error instanceof Thrown);
    assert.equal(error.className, "DOMException");
    assert.match(error.message, /^SyntaxError: Failed to construct 'WebSocket'/);
    return true;
  });
  assert.deepEqual(blank.of("websocket"), []);

  const visit = await stage.open("http://javascript.info/");
  await visit.run(marked, `
    socket.onerror = () => console.log("error", socket.url);
    socket.onclose = (event) => console.log("close", event.code);
  `);
  await visit.until("log", "close 1006");
  assert.deepEqual(visit.of("log"), ["error ws://javascript.info/*!*ws*/!*://javascript.info", "close 1006"]);
}

async function withoutTheMarksItOpens(visit) {
  const source = seed("summary-websocket-1").replace("*!*", "").replace("*/!*", "");
  await visit.run(source, "socket.onopen = () => console.log('open', socket.url);");
  await visit.until("log", "open ws://javascript.info/");
}

async function theDemoGreetsAndCloses(visit) {
  await visit.run(seed("summary-websocket-2"));
  const greeted = await visit.until("alert", "[message] Data received from server: Hello from server, John!");
  const closed = await visit.until("alert", "[close] Connection closed cleanly, code=1000 reason=");
  assert.deepEqual(visit.of("alert"), [
    "[open] Connection established",
    "Sending to server",
    "[message] Data received from server: Hello from server, John!",
    "[close] Connection closed cleanly, code=1000 reason=",
  ]);
  const waited = closed.at - greeted.at;
  assert.ok(waited > 4500 && waited < 8000, `the server waits 5 seconds before it closes, not ${waited} ms`);
}
