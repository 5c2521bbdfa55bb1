// A client of the npm package `ws` that echoes, for `longwire check client`:
//
//   longwire check client --run 'node echo.mjs {url} {compression} {subprotocols}'
//
// Everything but compression is as the package comes.

import { WebSocket } from "ws";

const [url, compression, subprotocols = ""] = process.argv.slice(2);
const offered = subprotocols.split(",").filter((name) => name !== "");
const socket = new WebSocket(url, offered, { perMessageDeflate: compression === "true" });

socket.on("message", (data, binary) => socket.send(data, { binary }));
socket.on("error", (error) => console.error(error.message));
socket.on("close", (code) => console.log(code));
