// The demo of the routes panel: say a name, be greeted, and be closed upon five seconds later.

import { Wire, routeURL } from "./wire.js";

const NAME = "My name is John";

export function startHelloPanel(panel) {
  const wire = new Wire(panel);
  const button = panel.querySelector('[data-testid="hello-run"]');
  const list = panel.querySelector("ol");

  button.addEventListener("click", () => {
    const began = performance.now();
    const socket = new WebSocket(routeURL("article/websocket/demo/hello"));
    const say = (words) => {
      const row = document.createElement("li");
      const time = document.createElement("time");
      const text = document.createElement("span");
      time.textContent = `${((performance.now() - began) / 1000).toFixed(2)} s`;
      text.textContent = words;
      row.append(time, text);
      list.append(row);
    };
    list.replaceChildren();
    panel.querySelector(".steps .empty").hidden = true;
    button.disabled = true;
    wire.follow(socket);

    socket.addEventListener("open", () => {
      say("open");
      socket.send(NAME);
      wire.pulse("out");
      say(`send: ${NAME}`);
    });
    socket.addEventListener("message", (event) => say(`message: ${event.data}`));
    socket.addEventListener("error", () => say("error"));
    socket.addEventListener("close", (event) => {
      say(`close: code ${event.code}, wasClean ${event.wasClean}`);
      button.disabled = false;
    });
  });
}
