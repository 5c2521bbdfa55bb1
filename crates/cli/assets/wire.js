// A panel's wire: it shows the state of the panel's socket, and each message that passes.

const STATES = ["connecting", "connected", "closing", "disconnected"];
const TRAVEL_MS = 450;
const PULSE_EVERY_MS = 90;

/** The WebSocket URL of a route of this server, wherever the page is mounted. */
export function routeURL(route) {
  const url = new URL(route, document.baseURI);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.hash = "";
  return url.href;
}

export class Wire {
  #panel;
  #line;
  #label;
  #socket = null;
  #lastPulse = { in: 0, out: 0 };
  #still = matchMedia("(prefers-reduced-motion: reduce)");

  constructor(panel) {
    this.#panel = panel;
    this.#line = panel.querySelector(".wire");
    this.#label = panel.querySelector(".state");
    this.refresh();
  }

  /** Shows this socket from now on. */
  follow(socket) {
    this.#socket = socket;
    for (const type of ["open", "error", "close"]) {
      socket.addEventListener(type, () => this.refresh());
    }
    socket.addEventListener("message", () => this.pulse("in"));
    this.refresh();
  }

  refresh() {
    const state = STATES[this.#socket?.readyState ?? WebSocket.CLOSED];
    this.#panel.dataset.state = state;
    // A status is announced when its text changes: leave it alone when it does not.
    if (this.#label.textContent !== state) {
      this.#label.textContent = state;
    }
  }

  /** Lets a message run along the wire: `out` to the server, `in` from it. */
  pulse(direction) {
    const now = performance.now();
    if (this.#still.matches || document.hidden || now - this.#lastPulse[direction] < PULSE_EVERY_MS) {
      return;
    }
    this.#lastPulse[direction] = now;
    const dot = document.createElement("span");
    dot.className = `pulse ${direction}`;
    this.#line.append(dot);
    const span = this.#line.clientWidth - dot.offsetWidth;
    const path = [
      { transform: "translateX(0)", opacity: 1 },
      { transform: `translateX(${span}px)`, opacity: 1 },
    ];
    const run = dot.animate(direction === "out" ? path : path.reverse(), { duration: TRAVEL_MS, easing: "ease-in-out" });
    run.onfinish = run.oncancel = () => dot.remove();
  }
}
