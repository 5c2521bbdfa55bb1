// Section 2: WebSocket protocol alterations, and what the handshake is.

import { equal, next, ok, opened, same, toTheEnd, told } from "./harness.mjs";

export default (test) => {
  test("the request has what the standard and RFC 6455 ask for", async ({ WebSocket, url, origin }) => {
    const socket = new WebSocket(`${url}/headers?a=b`, ["x", "y"]);
    // The server chooses none of them: it says so in its message only where it was asked for none.
    await next(socket, "close");
    const plain = new WebSocket(`${url}/headers`);
    const headers = JSON.parse((await next(plain, "message")).data);
    equal(headers.host, new URL(url).host);
    equal(headers.upgrade.toLowerCase(), "websocket");
    equal(headers.connection.toLowerCase(), "upgrade");
    equal(headers["sec-websocket-version"], "13");
    equal(atob(headers["sec-websocket-key"]).length, 16);
    ok(headers["sec-websocket-extensions"].includes("permessage-deflate"));
    equal(headers["sec-websocket-protocol"], undefined);
    equal(headers.origin, origin);
    equal(headers.pragma, "no-cache");
    equal(headers["cache-control"], "no-cache");
    plain.close();
  });

  test("cookies go along, those that pages do not see too", async ({ WebSocket, url }) => {
    const socket = new WebSocket(`${url}/headers`);
    const headers = JSON.parse((await next(socket, "message")).data);
    const cookies = headers.cookie.split("; ").sort();
    ok(cookies.includes("kept=1"), headers.cookie);
    ok(cookies.includes("hidden=2"), headers.cookie);
    ok(!cookies.includes("elsewhere=3"), headers.cookie);
    socket.close();
  });

  test("a server that wants to know the user is told nothing else", async ({ WebSocket, url }) => {
    const { names, close } = await toTheEnd(new WebSocket(`${url}/login`));
    same(names, ["error 3", "close 3"]);
    same(told(close), [1006, "", false]);
  });

  test("user and password of the URL are for a server that asks for them", async ({ WebSocket, url }) => {
    const socket = new WebSocket(`${url.replace("://", "://me:p%40ss@")}/login`);
    const headers = JSON.parse((await next(socket, "message")).data);
    equal(headers.authorization, `Basic ${btoa("me:p@ss")}`);
    socket.close();
  });

  test("a subprotocol is agreed on by the server's choice", async ({ WebSocket, url }) => {
    for (const [offered, chosen] of [[["a", "b", "c"], "b"], ["b", "b"], [["B", "b"], "b"]]) {
      const socket = await opened(WebSocket, `${url}/echo?protocol=b`, offered);
      equal(socket.protocol, chosen);
      socket.close();
    }
  });

  test("a server that chooses none of the subprotocols fails the connection", async ({ WebSocket, url }) => {
    const { names, close } = await toTheEnd(new WebSocket(`${url}/echo`, ["a"]));
    same(names, ["error 3", "close 3"]);
    same(told(close), [1006, "", false]);
  });

  test("whatever is wrong with the answer, the program is told the same", async ({ WebSocket, url, refusals, step }) => {
    ok(refusals.length >= 12 || step > 1);
    for (const how of refusals) {
      const socket = new WebSocket(`${url}/refuse?how=${encodeURIComponent(how)}`, how === "two subprotocols" ? ["a", "b"] : []);
      const { names, close } = await toTheEnd(socket);
      same(names, ["error 3", "close 3"], how);
      same(told(close), [1006, "", false], how);
      same([socket.protocol, socket.extensions], ["", ""], how);
    }
  });

  test("ports of other services, and hosts that are none, fail the same", async ({ WebSocket }) => {
    for (const url of ["ws://127.0.0.1:1/", "ws://127.0.0.1:25/", "ws://127.0.0.1:6667/", "ws://host.invalid/"]) {
      const { names, close } = await toTheEnd(new WebSocket(url));
      same(names, ["error 3", "close 3"], url);
      same(told(close), [1006, "", false], url);
    }
  });

  test("TLS is spoken to wss, and to nothing else", async ({ WebSocket, url, secureUrl }) => {
    const socket = await opened(WebSocket, `${secureUrl}/echo`);
    socket.send("secret");
    equal((await next(socket, "message")).data, "secret");
    socket.close();
    for (const wrong of [url.replace("ws:", "wss:"), secureUrl.replace("wss:", "ws:")]) {
      const { close } = await toTheEnd(new WebSocket(`${wrong}/echo`));
      same(told(close), [1006, "", false], wrong);
    }
  });
};
