// A client is known by its token before it is let in, and its socket knows it.

import { createServer } from "node:http";
import { WebSocketServer } from "longwire";

const users = new Map([["open sesame", "Ali Baba"]]);

async function authenticate(request) {
  const [scheme, ...token] = (request.headers.authorization ?? "").split(" ");
  const user = scheme === "Bearer" && users.get(token.join(" "));
  if (!user) throw new Error("expected the token of a user");
  return user;
}

const http = createServer();
const server = new WebSocketServer({ noServer: true });

server.on("connection", (socket, request, user) => {
  socket.on("error", console.error);
  socket.on("message", (data) => {
    console.log("%s says: %s", user, data);
    socket.send(`welcome, ${user}`);
  });
});

http.on("upgrade", async (request, stream, head) => {
  stream.on("error", console.error);
  try {
    const user = await authenticate(request);
    stream.removeListener("error", console.error);
    server.handleUpgrade(request, stream, head, (socket) => {
      server.emit("connection", socket, request, user);
    });
  } catch {
    stream.end("HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n");
  }
});

http.listen(Number(process.env.PORT ?? 8080), () => {
  console.log("listening on %d", http.address().port);
});
