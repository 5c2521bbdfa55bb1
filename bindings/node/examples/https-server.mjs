// On an HTTPS server of one's own. CERT and KEY name files in PEM.

import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { WebSocketServer } from "longwire";

const https = createServer({
  cert: readFileSync(process.env.CERT ?? "cert.pem"),
  key: readFileSync(process.env.KEY ?? "key.pem"),
});
const server = new WebSocketServer({ server: https });

server.on("connection", (socket) => {
  socket.on("error", console.error);
  socket.on("message", (data) => console.log("received: %s", data));
  socket.send("something");
});

https.listen(Number(process.env.PORT ?? 8080), () => {
  console.log("listening on %d", https.address().port);
});
