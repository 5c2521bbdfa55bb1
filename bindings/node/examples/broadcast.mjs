// What a client says goes to all clients, or at the path /others to all but itself.

import { WebSocket, WebSocketServer } from "longwire";

const server = new WebSocketServer({ port: Number(process.env.PORT ?? 8080) });

server.on("connection", (socket, request) => {
  const toAll = request.url !== "/others";
  socket.on("error", console.error);
  socket.on("message", (data, isBinary) => {
    for (const client of server.clients) {
      if (client.readyState === WebSocket.OPEN && (toAll || client !== socket)) {
        client.send(data, { binary: isBinary });
      }
    }
  });
});

server.on("listening", () => console.log("listening on %d", server.address().port));
