// How long a message takes to a server that echoes, and back.

import { WebSocket } from "longwire";

const ROUNDS = Number(process.env.ROUNDS ?? 5);
let round = 0;

const socket = new WebSocket(process.env.URL ?? "ws://localhost:8080/");

socket.onopen = () => socket.send(String(performance.now()));

socket.onmessage = ({ data }) => {
  console.log("round-trip time: %f ms", (performance.now() - Number(data)).toFixed(3));
  round++;
  if (round === ROUNDS) socket.close();
  else setTimeout(() => socket.send(String(performance.now())), 50);
};

socket.onclose = () => console.log("disconnected");
