// A server: each client is greeted, and what it says is printed.

import { WebSocketServer } from "longwire";

const server = new WebSocketServer({ port: Number(process.env.PORT ?? 8080) });

server.on("connection", (socket) => {
  socket.on("error", console.error);
  socket.on("message", (data) => console.log("received: %s", data));
  socket.send("something");
});

server.on("listening", () => console.log("listening on %d", server.address().port));
