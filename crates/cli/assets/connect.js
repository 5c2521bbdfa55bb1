// The Connect panel: one WebSocket in the reader's hands, with every event it fires.

import { count, thrown } from "./format.js";
import { EventLog } from "./log.js";
import { Payload } from "./payload.js";
import { Wire, routeURL } from "./wire.js";

const READY_STATES = ["CONNECTING", "OPEN", "CLOSING", "CLOSED"];

export function startConnectPanel(panel) {
  const find = (selector) => panel.querySelector(selector);
  const button = (name) => find(`[data-testid="${name}"]`);
  const wire = new Wire(panel);
  const log = new EventLog({ list: find("#log"), scroll: find("#log-scroll"), empty: find("#log-empty") });
  const payload = new Payload(find("#send-form"));
  const problem = find(".problem");
  let socket = null;

  find("#url").value = routeURL(document.getElementById("main").dataset.socket ?? "echo");

  // Calls the API and shows what it throws, which is as much an answer as an event is.
  async function attempt(call) {
    problem.hidden = true;
    try {
      await call();
    } catch (error) {
      problem.textContent = thrown(error);
      problem.hidden = false;
      log.add("throws", thrown(error));
    }
    show();
  }

  function show() {
    const facts = {
      readyState: socket ? `${socket.readyState} ${READY_STATES[socket.readyState]}` : "none",
      protocol: socket?.protocol || "none",
      extensions: socket?.extensions || "none",
      bufferedAmount: count(socket?.bufferedAmount ?? 0),
    };
    for (const [name, value] of Object.entries(facts)) {
      const fact = find(`[data-fact="${name}"]`);
      if (fact.textContent !== value) {
        fact.textContent = value;
      }
    }
    const state = socket?.readyState ?? WebSocket.CLOSED;
    button("connect").disabled = state !== WebSocket.CLOSED;
    button("send").disabled = state !== WebSocket.OPEN;
    button("disconnect").disabled = state > WebSocket.OPEN;
    wire.refresh();
  }

  function connect() {
    const protocols = find("#protocols").value.split(",").map((name) => name.trim()).filter(Boolean);
    socket = new WebSocket(find("#url").value, protocols);
    socket.binaryType = panel.querySelector('[name="binaryType"]:checked').value;
    wire.follow(socket);
    socket.addEventListener("open", () => log.add("open", socket.protocol ? `${socket.url}, protocol ${socket.protocol}` : socket.url));
    socket.addEventListener("message", (event) => log.addMessage("message", event.data));
    socket.addEventListener("error", () => log.add("error", "the connection failed"));
    socket.addEventListener("close", (event) => {
      log.add("close", `code ${event.code}, reason ${JSON.stringify(event.reason)}, wasClean ${event.wasClean}`);
    });
    for (const type of ["open", "message", "error", "close"]) {
      socket.addEventListener(type, show);
    }
  }

  async function send() {
    const data = await payload.read();
    socket.send(data);
    log.addMessage("send", data);
    wire.pulse("out");
    watchBuffer();
  }

  // No event says that the buffer has drained: look again each frame until it has.
  function watchBuffer() {
    show();
    if (socket.bufferedAmount > 0 && socket.readyState === WebSocket.OPEN) {
      requestAnimationFrame(watchBuffer);
    }
  }

  function close() {
    const code = find("#code").value.trim();
    const reason = find("#reason").value;
    if (code === "" && reason === "") {
      socket.close();
    } else {
      socket.close(code === "" ? 1000 : Number(code), reason);
    }
  }

  function onSubmit(form, call) {
    find(form).addEventListener("submit", (event) => {
      event.preventDefault();
      attempt(call);
    });
  }

  onSubmit("#connect-form", connect);
  onSubmit("#send-form", send);
  onSubmit("#close-form", close);
  button("clear-log").addEventListener("click", () => log.clear());
  for (const choice of panel.querySelectorAll('[name="binaryType"]')) {
    choice.addEventListener("change", () => {
      if (socket) {
        socket.binaryType = choice.value;
      }
    });
  }
  show();
}
