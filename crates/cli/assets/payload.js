// What the send form sends: a string, a Blob or an ArrayBuffer, from text, hex digits or a file.

import { parseHex } from "./format.js";

export class Payload {
  #form;
  #source;
  #text;
  #file;

  constructor(form) {
    this.#form = form;
    this.#source = form.querySelector("#source");
    this.#text = form.querySelector("#payload");
    this.#file = form.querySelector("#file");
    form.addEventListener("change", () => this.#arrange());
    // Enter sends, Shift+Enter starts a new line.
    this.#text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        form.requestSubmit();
      }
    });
    this.#arrange();
  }

  /** The data to hand to `send()`; throws a TypeError when the form does not hold any. */
  async read() {
    const { kind, source } = this.#chosen();
    if (kind === "text") {
      return this.#text.value;
    }
    const bytes = source === "file" ? this.#chosenFile() : source === "hex" ? parseHex(this.#text.value) : this.#text.value;
    const blob = bytes instanceof Blob ? bytes : new Blob([bytes]);
    return kind === "blob" ? blob : blob.arrayBuffer();
  }

  #chosen() {
    const { kind, source } = this.#form.elements;
    return { kind: kind.value, source: source.value };
  }

  #chosenFile() {
    const [file] = this.#file.files;
    if (!file) {
      throw new TypeError("no file is chosen");
    }
    return file;
  }

  #arrange() {
    const { kind, source } = this.#chosen();
    const file = kind !== "text" && source === "file";
    this.#source.disabled = kind === "text";
    this.#form.querySelector("#payload-field").hidden = file;
    this.#form.querySelector("#file-field").hidden = !file;
    this.#text.placeholder = kind !== "text" && source === "hex" ? "de ad be ef" : "";
  }
}
