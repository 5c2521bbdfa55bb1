// A server of the npm package `ws`: what it does is in the path. Prints
// {"port": N} and ends with its stdin.
//
//   /echo               sends each message back with its type
//   /fragment/N         the same in fragments of N bytes
//   /close/CODE/REASON  closes at once; 1005 sends no code
//   /ping/N             sends N pings, then "pongs: N" if all were answered
//   /report             sends the path and the headers of the request
//   /subprotocol        selects the second subprotocol offered, and sends its name
//   /vanish             ends the TCP connection after the first message
//   /refuse/STATUS      answers the handshake with this status

import { STATUS_CODES, createServer } from "node:http";
import { WebSocketServer } from "ws";

const LIMIT = 32 * 1024 * 1024;

// Compression as the command line has it, in JSON; none by default.
const perMessageDeflate = JSON.parse(process.argv[2] ?? "false");

const routes = {
  echo(socket) {
    socket.on("message", (data, binary) => socket.send(data, { binary }));
  },

  fragment(socket, size) {
    const step = Number(size);
    socket.on("message", (data, binary) => {
      let at = 0;
      do {
        const fin = at + step >= data.length;
        socket.send(data.subarray(at, at + step), { binary, fin });
        at += step;
      } while (at < data.length);
    });
  },

  close(socket, code, reason = "") {
    if (code === "1005") socket.close();
    else socket.close(Number(code), decodeURIComponent(reason));
  },

  ping(socket, count) {
    const pings = Array.from({ length: Number(count) }, (_, i) => `ping ${i}`);
    const pongs = [];
    socket.on("pong", (data) => {
      pongs.push(data.toString());
      if (pongs.length < pings.length) return;
      const same = pongs.every((pong, i) => pong === pings[i]);
      socket.send(same ? `pongs: ${pongs.length}` : `wrong pongs: ${pongs}`);
    });
    for (const ping of pings) socket.ping(ping);
  },

  report(socket, _first, _second, request) {
    socket.send(JSON.stringify({ path: request.url, headers: request.headers }));
  },

  subprotocol(socket) {
    socket.send(socket.protocol);
  },

  vanish(socket) {
    socket.once("message", () => socket.terminate());
  },
};

function refuse(stream, status) {
  const body = "not for you\n";
  stream.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Refused"}\r\nX-Why: because\r\n` +
      `Content-Type: text/plain\r\nContent-Length: ${body.length}\r\n` +
      `Connection: close\r\n\r\n${body}`,
  );
}

const sockets = new WebSocketServer({
  noServer: true,
  perMessageDeflate,
  maxPayload: LIMIT,
  handleProtocols: (offered, request) =>
    (request.url.startsWith("/subprotocol") && [...offered][1]) || false,
});
const server = createServer((_request, response) => response.writeHead(426).end());
server.on("upgrade", (request, stream, head) => {
  stream.on("error", () => {});
  const [, route, first, second] = request.url.split("?")[0].split("/");
  if (route === "refuse") return refuse(stream, first);
  if (!Object.hasOwn(routes, route)) return refuse(stream, 404);
  sockets.handleUpgrade(request, stream, head, (socket) => {
    // What a client breaks is the client's to tell.
    socket.on("error", () => {});
    routes[route](socket, first, second, request);
  });
});
server.listen(0, "127.0.0.1", () => {
  console.log(JSON.stringify({ port: server.address().port }));
});
process.stdin.resume().on("end", () => process.exit(0));
