// Where a client comes from: the connection's address, or behind a proxy what that says.

import { WebSocketServer } from "longwire";

const server = new WebSocketServer({ port: Number(process.env.PORT ?? 8080), host: "127.0.0.1" });

server.on("connection", (socket, request) => {
  const forwarded = request.headers["x-forwarded-for"]?.split(",")[0].trim();
  socket.on("error", console.error);
  socket.send(forwarded ?? request.socket.remoteAddress);
});

server.on("listening", () => console.log("listening on %d", server.address().port));
