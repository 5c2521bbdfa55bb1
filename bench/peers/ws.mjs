// An echo server of the npm package `ws`, with the flags of the servers in Rust. Its options
// are the defaults, and `bufferutil` is installed beside it, which its README names as its
// opt-in for performance. `ws` sets TCP_NODELAY itself, and documents no way to batch.
// Compressed, it has zlib's default level; without context takeover `ws` would leave
// messages below 1 KiB uncompressed, so that threshold is set to nothing.

import { WebSocketServer } from "ws";

const COMPRESSIONS = {
  off: false,
  shared: { serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: 0 },
  dedicated: { threshold: 0 },
};

function usage() {
  console.error("expected [--compression off|shared|dedicated] [--fanout]");
  process.exit(2);
}

let compression = "off";
let fanout = false;
const flags = process.argv.slice(2);
while (flags.length > 0) {
  const flag = flags.shift();
  if (flag === "--fanout") fanout = true;
  else if (flag === "--compression") compression = flags.shift();
  else usage();
}
if (!Object.hasOwn(COMPRESSIONS, compression)) usage();

const server = new WebSocketServer(
  { host: "127.0.0.1", port: 0, perMessageDeflate: COMPRESSIONS[compression] },
  () => console.log(`listening 127.0.0.1:${server.address().port}`),
);
server.on("connection", (socket) => {
  socket.on("error", () => {});
  socket.on("message", (data, binary) => {
    if (fanout) for (const client of server.clients) client.send(data, { binary });
    else socket.send(data, { binary });
  });
});
