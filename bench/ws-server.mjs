// An echo of the npm package `ws` for the bench `memory`. The argument is its
// `perMessageDeflate` in JSON. Prints its port.

import { createRequire } from "node:module";

const require = createRequire(new URL("../crates/testkit/peers/node/package.json", import.meta.url));
const { WebSocketServer } = require("ws");

const perMessageDeflate = JSON.parse(process.argv[2]);
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate }, () => {
  console.log(server.address().port);
});
server.on("connection", (socket) => {
  socket.on("error", () => {});
  socket.on("message", (data, binary) => socket.send(data, { binary }));
});
process.stdin.resume().on("end", () => process.exit(0));
