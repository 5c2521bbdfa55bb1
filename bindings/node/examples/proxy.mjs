// A client behind a proxy. Without the option, the one that the environment names is used.

import { WebSocket } from "longwire";

const socket = new WebSocket(process.env.URL ?? "ws://localhost:8080/", [], {
  proxy: process.env.PROXY ?? "http://localhost:3128",
});

socket.onopen = () => socket.send("through the proxy");
socket.onmessage = ({ data }) => {
  console.log("received: %s", data);
  socket.close();
};
socket.onerror = () => console.error("the connection failed");
