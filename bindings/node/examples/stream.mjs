// A socket as a stream of Node: what comes in goes out in capitals. A client that takes
// nothing is not read from either.

import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createWebSocketStream, WebSocketServer } from "longwire";

const server = new WebSocketServer({ port: Number(process.env.PORT ?? 8080) });

server.on("connection", async (socket) => {
  const stream = createWebSocketStream(socket, { encoding: "utf8", decodeStrings: false });
  const capitals = new Transform({
    transform(chunk, _, done) {
      done(null, String(chunk).toUpperCase());
    },
  });
  await pipeline(stream, capitals, stream).catch(console.error);
});

server.on("listening", () => console.log("listening on %d", server.address().port));
