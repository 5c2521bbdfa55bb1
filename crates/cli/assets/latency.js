// The Latency panel: how long a small message takes to /echo and back, as it goes on.

import { count, milliseconds } from "./format.js";
import { Plot, roundUp } from "./plot.js";
import { Wire, routeURL } from "./wire.js";

const EVERY_MS = 200;
const KEPT = 150;

export function startLatencyPanel(panel) {
  const find = (selector) => panel.querySelector(selector);
  const wire = new Wire(panel);
  const toggle = find('[data-testid="latency-toggle"]');
  const plot = new Plot(find("canvas"), { shape: "bars", color: "--patina", write: milliseconds });
  let socket = null;
  let samples = [];
  let total = 0;

  function show() {
    const sorted = [...samples].sort((a, b) => a - b);
    // The nearest rank: the smallest sample that at least this part of all does not exceed.
    const rank = (part) => sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)];
    const figures = { min: rank(0), median: rank(0.5), p99: rank(0.99), max: rank(1) };
    for (const [name, value] of Object.entries(figures)) {
      find(`[data-figure="${name}"]`).textContent = value === undefined ? "–" : milliseconds(value);
    }
    find('[data-figure="samples"]').textContent = count(total);
    find(".empty").hidden = samples.length > 0;
    plot.show({
      points: samples.map((value, index) => [KEPT - samples.length + index, value]),
      top: roundUp(Math.max(figures.max ?? 0, 1)),
      right: KEPT,
      from: `${(KEPT * EVERY_MS) / 1000} s ago`,
      to: "now",
    });
  }

  function showButton() {
    const running = socket !== null;
    toggle.textContent = running ? "Stop" : "Start";
    toggle.classList.toggle("primary", !running);
  }

  function start() {
    const mine = new WebSocket(routeURL("echo"));
    const sentAt = new Map();
    let next = 0;
    let timer;
    socket = mine;
    samples = [];
    total = 0;
    show();
    wire.follow(mine);

    function ping() {
      sentAt.set(String(next), performance.now());
      mine.send(String(next));
      next += 1;
      wire.pulse("out");
    }

    mine.addEventListener("open", () => {
      ping();
      timer = setInterval(ping, EVERY_MS);
    });
    mine.addEventListener("message", (event) => {
      const now = performance.now();
      if (sentAt.has(event.data)) {
        samples.push(now - sentAt.get(event.data));
        sentAt.delete(event.data);
        samples = samples.slice(-KEPT);
        total += 1;
        show();
      }
    });
    mine.addEventListener("close", () => {
      clearInterval(timer);
      if (socket === mine) {
        socket = null;
        showButton();
      }
    });
  }

  toggle.addEventListener("click", () => {
    if (socket) {
      socket.close(1000, "measured enough");
      wire.refresh();
    } else {
      start();
    }
    showButton();
  });

  show();
  showButton();
}
