// The server at the other end of the tests of the standard: what it does is in the path.
// It is made of the npm package `ws`, and of bytes where that would not do wrong.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { WebSocketServer } from "ws";
import { certificate } from "../certificate.mjs";
import { accept } from "../peer.mjs";

const MODULES = new URL(".", import.meta.url);

/** What is wrong with the answer to a handshake, by name. */
const REFUSALS = {
  "status 200": () => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
  "status 204": () => "HTTP/1.1 204 No Content\r\n\r\n",
  "status 301": () => "HTTP/1.1 301 Moved\r\nLocation: /echo\r\nContent-Length: 0\r\n\r\n",
  "status 307": () => "HTTP/1.1 307 Moved\r\nLocation: /echo\r\nContent-Length: 0\r\n\r\n",
  "status 403": () => "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n",
  "status 404": () => "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
  "status 500": () => "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
  "status 503": () => "HTTP/1.1 503 No\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
  "no header": () => "HTTP/1.1 101 Switching Protocols\r\n\r\n",
  "no accept": (head) => accept(head).replace(/Sec-WebSocket-Accept.*\r\n/, ""),
  "wrong accept": (head) => accept(head).replace(/Sec-WebSocket-Accept: ./, "Sec-WebSocket-Accept: !"),
  "no upgrade": (head) => accept(head).replace("Upgrade: websocket\r\n", ""),
  "other upgrade": (head) => accept(head).replace("Upgrade: websocket", "Upgrade: other"),
  "no connection": (head) => accept(head).replace("Connection: Upgrade\r\n", ""),
  "unasked subprotocol": (head) => accept(head, "Sec-WebSocket-Protocol: unasked"),
  "two subprotocols": (head) => accept(head, "Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: b"),
  "unknown extension": (head) => accept(head, "Sec-WebSocket-Extensions: x-unknown"),
  "wrong parameter": (head) => accept(head, "Sec-WebSocket-Extensions: permessage-deflate; x=1"),
  "no HTTP": () => "garbage\r\n\r\n",
  nothing: () => "",
};

/** Starts it. `url` and `secureUrl` are its addresses without a path. */
export async function start(t) {
  const streams = new Set();
  const recorded = new Map();
  const counts = new Map();
  const wss = new WebSocketServer({
    noServer: true,
    maxPayload: 1 << 28,
    handleProtocols: (offered, request) => {
      const wanted = new URL(request.url, "http://h").searchParams.get("protocol");
      return wanted !== null && offered.has(wanted) && wanted;
    },
  });

  const later = (map, id) => {
    if (!map.has(id)) {
      let settle;
      const promise = new Promise((resolve) => (settle = resolve));
      map.set(id, { promise, settle });
    }
    return map.get(id);
  };

  const sockets = {
    "/echo": (socket) => socket.on("message", (data, binary) => socket.send(data, { binary })),
    "/headers": (socket, request) => socket.send(JSON.stringify(request.headers)),
    "/login": (socket, request) => socket.send(JSON.stringify(request.headers)),
    "/record": (socket, request, query) => {
      const messages = [];
      socket.on("message", (data, binary) => messages.push([binary ? data.toString("hex") : String(data), binary]));
      socket.on("close", (code, reason) => {
        later(recorded, query.get("id")).settle({ messages, code, reason: String(reason) });
      });
    },
    "/send": (socket, request, query) => {
      for (const text of query.getAll("text")) socket.send(text);
      if (query.has("code")) socket.close(Number(query.get("code")), query.get("reason") ?? "");
    },
    "/many": (socket, request, query) => {
      for (let i = 0; i < Number(query.get("count")); i++) socket.send(String(i));
      socket.close(4002, "that was it");
    },
    // Both sides start to close at the same time.
    "/cross": (socket) => socket.on("message", () => socket.close(4003, "theirs")),
    "/pour": (socket, request, query) => {
      const pour = () => {
        if (socket.readyState !== 1) return;
        counts.set(query.get("id"), (counts.get(query.get("id")) ?? 0) + (1 << 16));
        socket.send(Buffer.alloc(1 << 16), pour);
      };
      pour();
    },
    "/unread": (socket) => {
      socket.pause();
    },
  };

  const upgrade = (request, stream, head) => {
    streams.add(stream);
    stream.on("close", () => streams.delete(stream));
    stream.on("error", () => {});
    const { pathname, searchParams: query } = new URL(request.url, "http://h");
    const lines = request.rawHeaders.map((text, i) => text + (i % 2 ? "\r\n" : ": ")).join("");
    const serve = sockets[pathname];
    if (pathname === "/login" && !request.headers.authorization) {
      stream.end('HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="r"\r\nContent-Length: 0\r\n\r\n');
    } else if (serve) {
      wss.handleUpgrade(request, stream, head, (socket) => {
        socket.on("error", () => {});
        serve(socket, request, query);
      });
    } else if (pathname === "/raw") {
      stream.write(accept(lines));
      const act = () => {
        stream.write(Buffer.from(query.get("hex") ?? "", "hex"), () => {
          const then = query.get("then");
          if (then === "end") stream.end();
          if (then === "destroy") stream.destroy();
          // Below TLS there is only TCP to cut.
          if (then === "reset") (stream.encrypted ? stream.destroy() : stream.resetAndDestroy());
        });
      };
      if (query.has("wait")) stream.once("data", act);
      else act();
      stream.resume();
    } else if (pathname === "/refuse") {
      stream.end(REFUSALS[query.get("how")](lines));
    } else if (pathname !== "/silent") {
      stream.end("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    }
  };

  const answer = async (request, response) => {
    const { pathname, searchParams: query } = new URL(request.url, "http://h");
    response.setHeader("Access-Control-Allow-Origin", "*");
    const json = (value) => {
      response.setHeader("Content-Type", "application/json");
      response.end(JSON.stringify(value));
    };
    if (pathname === "/recorded") return json(await later(recorded, query.get("id")).promise);
    if (pathname === "/count") return json(counts.get(query.get("id")) ?? 0);
    if (pathname === "/cut") {
      for (const stream of streams) stream.destroy();
      return json(true);
    }
    if (pathname === "/refusals") return json(Object.keys(REFUSALS));
    if (pathname === "/") {
      response.setHeader("Content-Type", "text/html");
      response.setHeader("Set-Cookie", ["kept=1; Path=/", "hidden=2; HttpOnly; Path=/", "elsewhere=3; Path=/not-here"]);
      return response.end("<!doctype html><title>tests of the standard</title>");
    }
    if (/^\/[a-z-]+\.mjs$/.test(pathname)) {
      response.setHeader("Content-Type", "text/javascript");
      return response.end(readFileSync(new URL(`.${pathname}`, MODULES)));
    }
    response.writeHead(404).end();
  };

  const servers = [createServer(answer), createSecureServer(certificate(), answer)];
  for (const server of servers) {
    server.on("upgrade", upgrade);
    server.on("connection", (stream) => {
      streams.add(stream);
      stream.on("close", () => streams.delete(stream));
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
  }
  t.after(() => {
    for (const stream of streams) stream.destroy();
    for (const server of servers) server.close();
  });
  const [plain, secure] = servers.map((server) => server.address().port);
  return { url: `ws://localhost:${plain}`, secureUrl: `wss://localhost:${secure}`, http: `http://localhost:${plain}` };
}
