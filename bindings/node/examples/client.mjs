// Text and bytes from a client, as in a browser.

import { WebSocket } from "longwire";

const socket = new WebSocket(process.env.URL ?? "ws://localhost:8080/");
socket.binaryType = "arraybuffer";

socket.addEventListener("open", () => {
  socket.send("something");
  socket.send(Float32Array.from({ length: 5 }, (_, i) => i / 2));
});

socket.addEventListener("message", ({ data }) => {
  if (typeof data === "string") {
    console.log("received: %s", data);
  } else {
    console.log("received: %s", new Float32Array(data).join(" "));
    socket.close();
  }
});

socket.addEventListener("error", () => console.error("the connection failed"));
