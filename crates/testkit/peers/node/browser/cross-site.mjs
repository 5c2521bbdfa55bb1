// A page may open a WebSocket to the server it came from; a page from elsewhere may not.

import http from "node:http";
import { assert, scenario } from "./harness.mjs";

const CONNECT = `
  var socket = new WebSocket("ws://example.com/echo");
  for (const type of ["open", "error", "close"]) {
    socket.addEventListener(type, (event) => console.log(type, event.code ?? "", event.wasClean ?? ""));
  }
`;

await scenario(async (stage) => {
  const elsewhere = await serveBlankPages();
  try {
    await stage.launch({
      "example.com:80": await stage.door(),
      "evil.example:80": elsewhere,
      "sub.example.com:80": elsewhere,
      "example.com:8081": elsewhere,
    });
    const home = await stage.open("http://example.com/");
    await home.run(CONNECT);
    await home.until("log", (text) => text.startsWith("open"));

    for (const origin of ["http://evil.example/", "http://sub.example.com/", "http://example.com:8081/"]) {
      const visit = await stage.open(origin);
      await visit.run(CONNECT);
      await isRefused(visit);
    }
    // The origin of a sandboxed frame is "null", which is nobody's.
    await isRefused(await stage.open("http://evil.example/sandboxed"));
  } finally {
    elsewhere.close();
  }
});

async function isRefused(visit) {
  await visit.until("log", "close 1006 false");
  assert.deepEqual(visit.of("log").map((text) => text.trim()), ["error", "close 1006 false"]);
  await visit.until("error", (text) => text.includes("Unexpected response code: 403"));
}

async function serveBlankPages() {
  const pages = {
    "/": "<!doctype html><title>elsewhere</title>",
    "/sandboxed": `<!doctype html><iframe sandbox="allow-scripts" src="/script"></iframe>`,
    "/script": `<!doctype html><script>${CONNECT}</script>`,
  };
  const site = http.createServer((request, response) => {
    const page = pages[request.url];
    response.writeHead(page ? 200 : 204, { "content-type": "text/html", connection: "close" }).end(page);
  });
  await new Promise((resolve) => site.listen(0, "127.0.0.1", resolve));
  return { port: site.address().port, close: () => site.close() };
}
