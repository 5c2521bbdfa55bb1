// A server of the npm package `ws`: what it does is in the path. Prints
// {"port": N} and ends with its stdin.

import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const LIMIT = 32 * 1024 * 1024;

const routes = {
  echo(socket) {
    socket.on("message", (data, binary) => socket.send(data, { binary }));
  },

  fragment(socket, size) {
    socket.on("message", (data, binary) => {
      const step = Number(size);
      for (let at = 0; at < data.length; at += step) {
        const fin = at + step >= data.length;
        socket.send(data.subarray(at, at + step), { binary, fin });
      }
    });
  },

  close(socket, code, reason) {
    if (code === "none") socket.close();
    else socket.close(Number(code), decodeURIComponent(reason ?? ""));
  },

  ping(socket, count) {
    const expected = Array.from({ length: Number(count) }, (_, i) => `ping ${i}`);
    const pongs = [];
    socket.on("pong", (data) => {
      pongs.push(data.toString());
      if (pongs.length === expected.length) {
        const same = pongs.every((pong, i) => pong === expected[i]);
        socket.send(same ? `pongs: ${pongs.length}` : `wrong: ${pongs}`);
      }
    });
    for (const payload of expected) socket.ping(payload);
  },

  report(socket, _argument, _other, request) {
    socket.send(JSON.stringify({ path: request.url, headers: request.headers }));
  },

  subprotocol(socket) {
    socket.send(socket.protocol);
  },

  vanish(socket) {
    socket.on("message", () => socket.terminate());
  },
};

const sockets = new WebSocketServer({
  noServer: true,
  perMessageDeflate: false,
  maxPayload: LIMIT,
  handleProtocols: (offered) => [...offered][1] ?? false,
});
const server = createServer((_request, response) => response.writeHead(404).end());
server.on("upgrade", (request, stream, head) => {
  const [, route, first, second] = request.url.split("/");
  if (route === "refuse") {
    const body = "not for you";
    stream.end(
      `HTTP/1.1 ${first} Refused\r\nX-Why: because\r\nContent-Type: text/plain\r\n` +
        `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
    );
    return;
  }
  sockets.handleUpgrade(request, stream, head, (socket) => {
    socket.on("error", () => {});
    routes[route]?.(socket, first, second, request);
  });
});
server.listen(0, "127.0.0.1", () => {
  console.log(JSON.stringify({ port: server.address().port }));
});
process.stdin.resume().on("end", () => process.exit(0));
