// A small graph on a canvas: one series over a horizontal axis, sharp on any display.

const PAD = { top: 14, bottom: 18 };

/** The next of 1, 2, 5, 10, 20, 50… (or the same in powers of two) at or above `value`. */
export function roundUp(value, binary = false) {
  if (binary) {
    return 2 ** Math.ceil(Math.log2(Math.max(value, 1)));
  }
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].find((step) => step * unit >= value) * unit;
}

export class Plot {
  #canvas;
  #write;
  #data = { points: [], top: 1, right: 1, from: "", to: "" };
  #shape;
  #color;

  /**
   * `shape` is "bars" or "area", `color` a custom property of the page, `write` how a value of
   * the vertical axis is written.
   */
  constructor(canvas, { shape, color, write }) {
    this.#canvas = canvas;
    this.#shape = shape;
    this.#color = color;
    this.#write = write;
    new ResizeObserver(() => this.#draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
    this.#watchDensity();
  }

  /** `points` are pairs in 0…`right` and 0…`top`; `from` and `to` are written under the ends. */
  show(data) {
    this.#data = { ...this.#data, ...data };
    this.#draw();
  }

  // A window dragged to another display, or zoomed, changes the pixels under a CSS pixel.
  #watchDensity() {
    matchMedia(`(resolution: ${devicePixelRatio}dppx)`).addEventListener("change", () => {
      this.#draw();
      this.#watchDensity();
    }, { once: true });
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const density = devicePixelRatio;
    const pixels = [Math.round(width * density), Math.round(height * density)];
    if (pixels[0] === 0 || pixels[1] === 0) {
      return;
    }
    if (this.#canvas.width !== pixels[0] || this.#canvas.height !== pixels[1]) {
      [this.#canvas.width, this.#canvas.height] = pixels;
    }
    const pen = this.#canvas.getContext("2d");
    const style = getComputedStyle(this.#canvas);
    pen.setTransform(density, 0, 0, density, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = style.font;

    const floor = height - PAD.bottom;
    const place = {
      x: (value) => (value / this.#data.right) * width,
      y: (value) => floor - (value / this.#data.top) * (floor - PAD.top),
    };
    this.#drawGrid(pen, style, width, height, place);
    pen.fillStyle = pen.strokeStyle = style.getPropertyValue(this.#color);
    if (this.#shape === "bars") {
      this.#drawBars(pen, width, floor, place);
    } else {
      this.#drawArea(pen, floor, place);
    }
  }

  #drawGrid(pen, style, width, height, { y }) {
    const { points, top, from, to } = this.#data;
    const rules = height > 120 ? [0, 0.25, 0.5, 0.75, 1] : [0, 0.5, 1];
    pen.lineWidth = 1;
    pen.strokeStyle = style.getPropertyValue("--line");
    pen.fillStyle = style.color;
    for (const part of rules) {
      const line = Math.round(y(part * top)) + 0.5;
      pen.beginPath();
      pen.moveTo(0, line);
      pen.lineTo(width, line);
      pen.stroke();
    }
    if (points.length === 0) {
      return;
    }
    pen.textBaseline = "alphabetic";
    pen.textAlign = "left";
    pen.fillText(this.#write(top), 0, y(top) - 4);
    pen.textBaseline = "bottom";
    pen.fillText(from, 0, height);
    pen.textAlign = "right";
    pen.fillText(to, width, height);
  }

  #drawBars(pen, width, floor, { x, y }) {
    const step = width / this.#data.right;
    const bar = Math.max(1, Math.min(step * 0.55, 6));
    for (const [at, value] of this.#data.points) {
      const head = Math.min(y(value), floor - 1);
      pen.globalAlpha = 0.35;
      pen.fillRect(x(at) + (step - bar) / 2, head, bar, floor - head);
      pen.globalAlpha = 1;
      pen.fillRect(x(at) + (step - bar) / 2, head, bar, 2);
    }
  }

  #drawArea(pen, floor, { x, y }) {
    const { points } = this.#data;
    if (points.length === 0) {
      return;
    }
    pen.beginPath();
    for (const [at, value] of points) {
      pen.lineTo(x(at), y(value));
    }
    pen.lineWidth = 1.5;
    pen.lineJoin = "round";
    pen.stroke();
    pen.lineTo(x(points.at(-1)[0]), floor);
    pen.lineTo(x(points[0][0]), floor);
    pen.globalAlpha = 0.18;
    pen.fill();
    pen.globalAlpha = 1;
  }
}
