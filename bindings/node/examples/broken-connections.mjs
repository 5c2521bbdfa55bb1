// A client that is gone without a word is found by pings of one's own. (The heartbeat of
// the server does the same without a line of code; here it is off.)

import { WebSocketServer } from "longwire";

const INTERVAL = Number(process.env.INTERVAL ?? 30_000);

const server = new WebSocketServer({ port: Number(process.env.PORT ?? 8080), heartbeat: false });

server.on("connection", (socket) => {
  socket.isAlive = true;
  socket.on("error", console.error);
  socket.on("pong", () => {
    socket.isAlive = true;
  });
  socket.on("close", (code) => console.log("gone: %d", code));
});

const timer = setInterval(() => {
  for (const socket of server.clients) {
    if (!socket.isAlive) {
      socket.terminate();
      continue;
    }
    socket.isAlive = false;
    socket.ping();
  }
}, INTERVAL);

server.on("close", () => clearInterval(timer));
server.on("listening", () => console.log("listening on %d", server.address().port));
