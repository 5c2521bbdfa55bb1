// A stream of Node under a socket: TLS that Node speaks, or whatever else has no
// descriptor that could be taken over.

import type { Duplex } from "node:stream";

import { Kind, mailbox } from "./mailbox.cjs";
import { native, type NativeBridge } from "./native.cjs";

/** How long a stream that was ended may take to finish, in milliseconds. */
const END_WITHIN = 2000;

export class Bridge {
  readonly native: NativeBridge;
  readonly #stream: Duplex;

  /** Letters for the stream are addressed to this socket. */
  constructor(stream: Duplex, socket: number) {
    this.#stream = stream;
    this.native = new native.NativeBridge(mailbox, socket);
  }

  /** Has what arrives read from now on, behind what was read before. */
  start(unhandled: Buffer): void {
    const stream = this.#stream;
    const bridge = this.native;
    if (unhandled.length > 0) bridge.arrived(unhandled);
    stream.on("data", (chunk: Buffer) => {
      if (!bridge.arrived(chunk)) stream.pause();
    });
    stream.on("end", () => bridge.ended());
    stream.on("close", () => bridge.lost());
    stream.on("error", () => bridge.lost());
    if (stream.destroyed) bridge.lost();
    stream.resume();
  }

  /** Does what a letter for the stream says. */
  receive(kind: Kind, payload: Buffer): void {
    const stream = this.#stream;
    if (kind === Kind.Write) {
      stream.write(payload, (error) => {
        if (error) this.native.lost();
        else this.native.written(payload.length);
      });
    } else if (kind === Kind.Resume) {
      stream.resume();
    } else if (kind === Kind.End) {
      stream.end();
    } else if (kind === Kind.Destroy) {
      if (!stream.writableEnded || stream.writableFinished) {
        stream.destroy();
      } else {
        // All was written: the end of the stream is on its way.
        stream.once("finish", () => stream.destroy());
        setTimeout(() => stream.destroy(), END_WITHIN).unref();
      }
    }
  }
}
