// The document "WebSocket API" (Writing WebSocket client applications): subprotocols, the order
// of a failed connection's events, and sendText() to all users of a chat.

import { assert, scenario, seed } from "./harness.mjs";

const snippet = (number) => seed(`websocket-api-applications-${number}`);
const text = `It's <b>5 o'clock</b>, "sharp" \u2615`;

await scenario(async (stage) => {
  const door = await stage.door();
  await stage.launch({ "example.com:80": door });

  const visit = await stage.open("http://example.com/");
  await visit.run(`var url = "ws://example.com/echo", protocols = ["chat", "superchat"];`, snippet(1), `
    var exampleSocket = webSocket;
    webSocket.onopen = () => console.log("open", webSocket.protocol);
    webSocket.onmessage = (event) => console.log("message", event.data);
  `);
  await visit.until("log", "open chat");
  await visit.run(snippet(2));
  await visit.until("log", "message Here's some text that the server is urgently awaiting!");

  await aMessageReachesAllUsers(stage);

  const alone = await stage.open("http://example.com/");
  await door.shut();
  await alone.run(`var url = "ws://example.com/echo", protocols = [];`, snippet(1), `
    webSocket.onerror = (event) => console.log(event.type, event.constructor.name);
    webSocket.onclose = (event) => console.log(event.type, event.constructor.name, event.code, event.wasClean);
  `);
  await alone.until("log", "close CloseEvent 1006 false");
  assert.deepEqual(alone.of("log"), ["error Event", "close CloseEvent 1006 false"]);
});

async function aMessageReachesAllUsers(stage) {
  const join = `
    var exampleSocket = new WebSocket("ws://example.com/chat");
    exampleSocket.onopen = () => console.log("joined");
    exampleSocket.onmessage = (event) => console.log(event.data);
  `;
  const [sender, reader] = [await stage.open("http://example.com/"), await stage.open("http://example.com/")];
  for (const visit of [sender, reader]) {
    await visit.run(join);
    await visit.until("log", "joined");
  }
  await sender.page.evaluate((value) => {
    const input = document.createElement("input");
    input.id = "text";
    input.value = value;
    document.body.prepend(input);
  }, text);
  const before = Date.now();
  await sender.run(`var clientID = 4711;`, snippet(3), "sendText();");
  for (const visit of [reader, sender]) {
    const { text: json } = await visit.until("log", (line) => line.startsWith("{"));
    const message = JSON.parse(json);
    assert.deepEqual(Object.keys(message).sort(), ["date", "id", "text", "type"]);
    assert.equal(message.type, "message");
    assert.equal(message.text, text);
    assert.equal(message.id, 4711);
    assert.ok(message.date >= before && message.date <= Date.now(), `date ${message.date}`);
  }
  assert.equal(await sender.page.inputValue("#text"), "");
}
