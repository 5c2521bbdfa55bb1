// The event log: rows of bounded number and length, written once a frame however fast they come.

import { bytes, clock, hex, utf8Length } from "./format.js";

const MAX_ROWS = 500;
const MAX_TEXT = 4096;
const MAX_HEX = 512;

export class EventLog {
  #list;
  #scroll;
  #empty;
  #waiting = [];
  #frame = 0;
  #following = true;

  constructor({ list, scroll, empty }) {
    this.#list = list;
    this.#scroll = scroll;
    this.#empty = empty;
    // Follow the newest row, unless the reader has scrolled up to an older one.
    let last = 0;
    scroll.addEventListener("scroll", () => {
      const atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 24;
      this.#following = atEnd || (this.#following && scroll.scrollTop >= last);
      last = scroll.scrollTop;
    });
    const sizes = new ResizeObserver(() => this.#follow());
    sizes.observe(list);
    sizes.observe(scroll);
  }

  clear() {
    this.#waiting = [];
    this.#list.replaceChildren();
    this.#empty.hidden = false;
  }

  /** Adds a row: what happened, a line about it, and its content if it has any. */
  add(kind, what, content) {
    const row = document.createElement("li");
    row.dataset.kind = kind;
    const time = document.createElement("time");
    const now = new Date();
    time.dateTime = now.toISOString();
    time.textContent = clock(now);
    row.append(time, span("kind", kind), span("what", what));
    if (content !== undefined) {
      row.append(contentOf(content));
    }
    this.#waiting.push(row);
    if (this.#waiting.length > MAX_ROWS) {
      this.#waiting.shift();
    }
    this.#frame ||= requestAnimationFrame(() => this.#write());
  }

  /** Adds a row for a message in either direction: text, Blob, or ArrayBuffer. */
  addMessage(kind, data) {
    if (typeof data === "string") {
      this.add(kind, `text, ${bytes(utf8Length(data))}`, data);
    } else {
      const [type, size] = data instanceof Blob ? ["Blob", data.size] : ["ArrayBuffer", data.byteLength];
      this.add(kind, `binary, ${type}, ${bytes(size)}`, data);
    }
  }

  #write() {
    this.#frame = 0;
    this.#list.append(...this.#waiting.splice(0));
    while (this.#list.childElementCount > MAX_ROWS) {
      this.#list.firstElementChild.remove();
    }
    this.#empty.hidden = this.#list.childElementCount > 0;
    // Rows that go and rows that come may be of one height, which no observer reports.
    this.#follow();
  }

  #follow() {
    if (this.#following) {
      this.#scroll.scrollTop = this.#scroll.scrollHeight;
    }
  }
}

function span(name, text) {
  const element = document.createElement("span");
  element.className = name;
  element.textContent = text;
  return element;
}

// A Blob is read later than it arrives; its row is in place already, so the order stays true.
function contentOf(data) {
  if (typeof data === "string") {
    return span("content", data.length > MAX_TEXT ? `${data.slice(0, MAX_TEXT)} … and ${data.length - MAX_TEXT} more characters` : data);
  }
  const element = span("content", "");
  const size = data.size ?? data.byteLength;
  const show = (buffer) => {
    element.textContent = hex(new Uint8Array(buffer)) + (size > MAX_HEX ? ` … and ${size - MAX_HEX} more bytes` : "");
  };
  const head = data.slice(0, MAX_HEX);
  if (head instanceof Blob) {
    head.arrayBuffer().then(show, (error) => { element.textContent = `(unreadable: ${error.message})`; });
  } else {
    show(head);
  }
  return element;
}
