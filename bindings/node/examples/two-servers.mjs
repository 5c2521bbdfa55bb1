// Two servers of WebSockets share an HTTP server: the path says which is meant.

import { createServer } from "node:http";
import { WebSocketServer } from "longwire";

const http = createServer((_, response) => response.end("a page\n"));
const foo = new WebSocketServer({ noServer: true });
const bar = new WebSocketServer({ noServer: true });

foo.on("connection", (socket) => {
  socket.on("error", console.error);
  socket.send("this is foo");
});

bar.on("connection", (socket) => {
  socket.on("error", console.error);
  socket.send("this is bar");
});

http.on("upgrade", (request, stream, head) => {
  const { pathname } = new URL(request.url, "ws://localhost");
  const server = { "/foo": foo, "/bar": bar }[pathname];
  if (!server) {
    stream.destroy();
    return;
  }
  server.handleUpgrade(request, stream, head, (socket) => {
    server.emit("connection", socket, request);
  });
});

http.listen(Number(process.env.PORT ?? 8080), () => {
  console.log("listening on %d", http.address().port);
});
