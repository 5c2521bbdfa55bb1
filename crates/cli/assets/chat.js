// The Chat room panel: JSON messages through /chat to everybody who is there.

import { clock, thrown } from "./format.js";
import { Wire, routeURL } from "./wire.js";

const MAX_MESSAGES = 500;

export function startChatPanel(panel) {
  const find = (selector) => panel.querySelector(selector);
  const wire = new Wire(panel);
  const name = find("#chat-name");
  const text = find("#chat-text");
  const toggle = find('[data-testid="chat-toggle"]');
  const messages = find(".messages");
  const list = find("ol");
  let socket = null;

  name.value = `guest-${crypto.getRandomValues(new Uint16Array(1))[0] % 900 + 100}`;

  function show() {
    const open = socket?.readyState === WebSocket.OPEN;
    const closed = !socket || socket.readyState === WebSocket.CLOSED;
    toggle.textContent = closed ? "Join" : "Leave";
    toggle.classList.toggle("primary", closed);
    name.disabled = !closed;
    text.disabled = !open;
    find('[data-testid="chat-send"]').disabled = !open;
    wire.refresh();
  }

  function add(row) {
    const following = messages.scrollHeight - messages.scrollTop - messages.clientHeight < 24;
    list.append(row);
    if (list.childElementCount > MAX_MESSAGES) {
      list.firstElementChild.remove();
    }
    find(".empty").hidden = true;
    if (following) {
      messages.scrollTop = messages.scrollHeight;
    }
  }

  function note(className, words) {
    add(element("li", className, words));
  }

  function receive(data) {
    const message = parse(data);
    if (message?.type === "error") {
      note("error", `The server answers: ${message.text}`);
    } else if (message?.type === "message") {
      const row = element("li", message.id === name.value ? "mine" : "other");
      const date = new Date(message.date);
      row.append(element("b", "", String(message.id)));
      if (!Number.isNaN(date.getTime())) {
        row.append(element("time", "", clock(date).slice(0, 8)));
      }
      row.append(element("p", "", String(message.text)));
      add(row);
    } else {
      note("note", typeof data === "string" ? data : "(a binary message)");
    }
  }

  function join() {
    name.value = name.value.trim() || "guest";
    try {
      socket = new WebSocket(routeURL("chat"));
    } catch (error) {
      note("error", thrown(error));
      return;
    }
    let opened = false;
    wire.follow(socket);
    socket.addEventListener("open", () => {
      opened = true;
      note("note", "You are in the room.");
      show();
      text.focus();
    });
    socket.addEventListener("message", (event) => receive(event.data));
    socket.addEventListener("close", (event) => {
      const how = event.code === 1005 || event.code === 1000 ? "" : ` (code ${event.code}${event.reason && `, ${event.reason}`})`;
      note(event.wasClean ? "note" : "error", opened ? `You have left the room${how}.` : `The room could not be reached${how}.`);
      show();
    });
  }

  find("#chat-join").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!socket || socket.readyState === WebSocket.CLOSED) {
      join();
    } else {
      socket.close();
    }
    show();
  });

  find("#chat-say").addEventListener("submit", (event) => {
    event.preventDefault();
    if (socket?.readyState !== WebSocket.OPEN || text.value === "") {
      return;
    }
    const message = { type: "message", text: text.value, id: name.value, date: Date.now() };
    socket.send(find("#chat-raw").checked ? text.value : JSON.stringify(message));
    wire.pulse("out");
    text.value = "";
  });

  show();
}

function parse(data) {
  try {
    return JSON.parse(data);
  } catch {
    return null;
  }
}

// Text goes in as text: what others write is never read as HTML.
function element(tag, className, words = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = words;
  return made;
}
