// The Connections panel: what is open on the server, as it goes on.

import { bytes, count, milliseconds } from "./format.js";
import { Wire, routeURL } from "./wire.js";

const EVERY_MS = 1000;

export function startConnectionsPanel(panel) {
  const find = (selector) => panel.querySelector(selector);
  const wire = new Wire(panel);
  const toggle = find('[data-testid="connections-toggle"]');
  const empty = find(".empty");
  const table = find("table");
  const body = find("tbody");
  const rows = new Map();
  let socket = null;
  let view = null;
  let timer;

  function show() {
    const closed = !socket || socket.readyState === WebSocket.CLOSED;
    toggle.textContent = closed ? "Watch" : "Stop";
    toggle.classList.toggle("primary", closed);
    wire.refresh();
  }

  function say(words) {
    empty.textContent = words;
    empty.hidden = words === "";
  }

  function receive(data) {
    view = JSON.parse(data);
    const open = new Set(view.connections.map((connection) => connection.id));
    for (const [id, row] of rows) {
      if (!open.has(id)) {
        row.remove();
        rows.delete(id);
      }
    }
    for (const connection of view.connections) {
      if (!rows.has(connection.id)) {
        rows.set(connection.id, newRow(connection));
        body.append(rows.get(connection.id));
      }
      fill(rows.get(connection.id), connection);
    }
    find('[data-column="close"]').hidden = !view.may_close;
    table.hidden = view.connections.length === 0;
    const more = view.open - view.connections.length;
    find(".what").textContent = `${count(view.open)} open${more > 0 ? `, the newest ${count(view.connections.length)} are shown` : ""}.`;
    say(view.connections.length === 0 ? "No connection is open, but this one, which is left out." : "");
  }

  function newRow(connection) {
    const row = document.createElement("tr");
    for (const name of ["address", "user", "path", "since", "received", "sent", "latency", "how"]) {
      const cell = document.createElement("td");
      cell.dataset.cell = name;
      cell.className = ["since", "received", "sent", "latency"].includes(name) ? "number" : name;
      row.append(cell);
    }
    if (view.may_close) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "quiet";
      button.textContent = "Close";
      button.setAttribute("aria-label", `Close the connection of ${connection.address ?? "an unknown address"}`);
      button.addEventListener("click", () => socket?.send(JSON.stringify({ close: connection.id })));
      const cell = document.createElement("td");
      cell.append(button);
      row.append(cell);
    }
    return row;
  }

  // Text goes in as text: what clients send is never read as HTML.
  function fill(row, connection) {
    const passed = ({ messages, bytes: size }) => `${count(messages)} · ${bytes(size)}`;
    const how = [`HTTP/${connection.http}`, connection.compressed && "deflate", connection.subprotocol];
    const texts = {
      address: connection.address ?? "–",
      user: connection.user ?? "–",
      path: connection.path,
      since: age(connection.since),
      received: passed(connection.received),
      sent: passed(connection.sent),
      latency: connection.latency === null ? "–" : milliseconds(connection.latency),
      how: how.filter(Boolean).join(", "),
    };
    for (const [name, text] of Object.entries(texts)) {
      const cell = row.querySelector(`[data-cell="${name}"]`);
      if (cell.textContent !== text) {
        cell.textContent = text;
      }
    }
    row.querySelector('[data-cell="path"]').title = connection.path;
  }

  // Ages go on where nothing else changes.
  function refresh() {
    for (const connection of view?.connections ?? []) {
      const row = rows.get(connection.id);
      if (row) {
        row.querySelector('[data-cell="since"]').textContent = age(connection.since);
      }
    }
  }

  function watch() {
    socket = new WebSocket(routeURL("connections"));
    let opened = false;
    wire.follow(socket);
    socket.addEventListener("open", () => {
      opened = true;
      timer = setInterval(refresh, EVERY_MS);
      show();
    });
    socket.addEventListener("message", (event) => receive(event.data));
    socket.addEventListener("close", () => {
      clearInterval(timer);
      rows.clear();
      body.replaceChildren();
      table.hidden = true;
      view = null;
      say(opened
        ? "Not watched any more."
        : "The server does not show its connections here. Open this page on its own machine, or start it with --view users and --auth.");
      show();
    });
    show();
  }

  toggle.addEventListener("click", () => {
    if (!socket || socket.readyState === WebSocket.CLOSED) {
      watch();
    } else {
      socket.close();
      show();
    }
  });

  show();
}

/** How long ago, in the two largest units. */
function age(since) {
  const seconds = Math.max(0, Math.floor((Date.now() - since) / 1000));
  const [minutes, hours, days] = [60, 3600, 86400].map((unit) => Math.floor(seconds / unit));
  if (days > 0) {
    return `${days} d ${hours % 24} h`;
  }
  if (hours > 0) {
    return `${hours} h ${minutes % 60} min`;
  }
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}
