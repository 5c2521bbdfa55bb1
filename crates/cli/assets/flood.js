// The Flood panel: many messages to /echo at once, and what the socket's buffer makes of it.

import { bytes, count } from "./format.js";
import { Plot, roundUp } from "./plot.js";
import { Wire, routeURL } from "./wire.js";

// A frame has 16 ms; sending takes at most half of it, so that the page stays at hand.
const SEND_MS_PER_FRAME = 8;
// bufferedAmount is memory of this page: past this, sending waits for it to fall.
const MAX_BUFFERED = 64 * 1024 * 1024;
const MAX_POINTS = 600;

export function startFloodPanel(panel) {
  const find = (selector) => panel.querySelector(selector);
  const wire = new Wire(panel);
  const startButton = find('[data-testid="flood-start"]');
  const stopButton = find('[data-testid="flood-stop"]');
  const problem = find(".problem");
  const buffered = new Plot(find("#flood-buffered"), { shape: "area", color: "--copper", write: bytes });
  const returned = new Plot(find("#flood-returned"), { shape: "area", color: "--patina", write: count });

  function show(run) {
    const seconds = run.elapsed() / 1000;
    const figures = {
      sent: count(run.sent),
      returned: count(run.returned),
      buffered: bytes(run.socket.bufferedAmount),
      peak: bytes(run.peak),
      rate: seconds > 0 && run.size > 0 ? `${bytes((run.returned * run.size) / seconds)}/s` : "–",
    };
    for (const [name, value] of Object.entries(figures)) {
      find(`[data-figure="${name}"]`).textContent = value;
    }
    const axis = { right: Math.max(run.elapsed(), 1), from: "0 s", to: `${seconds.toFixed(1)} s` };
    buffered.show({ ...axis, points: run.points.map(([at, amount]) => [at, amount]), top: roundUp(Math.max(run.peak, 1024), true) });
    returned.show({ ...axis, points: run.points.map(([at, , back]) => [at, back]), top: run.total });
  }

  function showButtons(running) {
    startButton.disabled = running;
    stopButton.disabled = !running;
    wire.refresh();
  }

  function tell(words) {
    problem.textContent = words;
    problem.hidden = words === "";
  }

  function start(total, size) {
    const run = new Run(new WebSocket(routeURL("echo")), total, size);
    find(".empty").hidden = true;
    wire.follow(run.socket);
    showButtons(true);
    show(run);

    function frame() {
      if (run.socket.readyState !== WebSocket.OPEN) {
        return;
      }
      if (run.sendSome() > 0) {
        wire.pulse("out");
      }
      run.record();
      show(run);
      if (run.done()) {
        run.socket.close(1000, "all returned");
        wire.refresh();
      } else {
        requestAnimationFrame(frame);
      }
    }

    run.socket.addEventListener("open", () => {
      run.begin();
      requestAnimationFrame(frame);
    });
    run.socket.addEventListener("close", (event) => {
      run.end();
      show(run);
      showButtons(false);
      if (!run.done() && event.code !== 1000) {
        tell(`The connection closed with code ${event.code} after ${count(run.returned)} of ${count(total)} messages had returned.`);
      }
    });
    stopButton.onclick = () => {
      run.socket.close(1000, "stopped");
      wire.refresh();
    };
  }

  find("form").addEventListener("submit", (event) => {
    event.preventDefault();
    const wrong = [...event.target.querySelectorAll("input")].find((input) => !input.checkValidity());
    if (wrong) {
      tell(`${wrong.labels[0].textContent}: a whole number from ${count(Number(wrong.min))} to ${count(Number(wrong.max))}, please.`);
      wrong.focus();
      return;
    }
    tell("");
    start(find("#flood-count").valueAsNumber, find("#flood-size").valueAsNumber);
  });
}

/** One flood: what is sent, what has come back, and the buffer at each frame. */
class Run {
  sent = 0;
  returned = 0;
  peak = 0;
  points = [];
  #began = null;
  #ended = null;
  #message;

  constructor(socket, total, size) {
    this.socket = socket;
    this.total = total;
    this.size = size;
    this.#message = noise(size);
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", () => { this.returned += 1; });
  }

  begin() {
    this.#began = performance.now();
    this.record();
  }

  end() {
    this.#ended ??= performance.now();
  }

  elapsed() {
    return this.#began === null ? 0 : (this.#ended ?? performance.now()) - this.#began;
  }

  done() {
    return this.returned === this.total && this.socket.bufferedAmount === 0;
  }

  /** Sends for a part of a frame, and says how many messages that was. */
  sendSome() {
    const until = performance.now() + SEND_MS_PER_FRAME;
    const before = this.sent;
    while (this.sent < this.total && this.socket.bufferedAmount + this.size <= MAX_BUFFERED && performance.now() < until) {
      this.socket.send(this.#message);
      this.sent += 1;
    }
    this.peak = Math.max(this.peak, this.socket.bufferedAmount);
    return this.sent - before;
  }

  record() {
    this.points.push([this.elapsed(), this.socket.bufferedAmount, this.returned]);
    // A long flood keeps its shape with half the points.
    if (this.points.length > MAX_POINTS) {
      this.points = this.points.filter((_, index) => index % 2 === 0);
    }
  }
}

// Random bytes, so that compression does not make the flood a trickle.
function noise(size) {
  const octets = new Uint8Array(size);
  for (let at = 0; at < size; at += 65536) {
    crypto.getRandomValues(octets.subarray(at, at + 65536));
  }
  return octets;
}
