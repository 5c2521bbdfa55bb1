// A socket of a server as a stream of Node.

import { Duplex, type DuplexOptions } from "node:stream";

import type { ServerSocket } from "./server-socket.cjs";

/**
 * A duplex stream over a socket: each chunk that is written is a message, each message is
 * a chunk to read. What is not read is not taken from the network. (For a client,
 * `Duplex.fromWeb()` does so with what a WebSocketStream opens.)
 */
export function createWebSocketStream(socket: ServerSocket, options: DuplexOptions = {}): Duplex {
  let endedByProgram = false;
  const duplex = new Duplex({
    ...options,
    autoDestroy: false,
    emitClose: false,
    objectMode: false,
    writableObjectMode: false,
    read() {
      if (socket.isPaused) socket.resume();
    },
    write(chunk: Buffer, _, done) {
      socket.send(chunk, (error) => {
        done(error);
        if (error && !duplex.destroyed) duplex.destroy();
      });
    },
    final(done) {
      if (socket.readyState === socket.CLOSED) {
        done();
        return;
      }
      socket.once("close", () => done());
      socket.close();
    },
    destroy(error, done) {
      endedByProgram = true;
      if (socket.readyState === socket.CLOSED) {
        done(error);
        process.nextTick(() => duplex.emit("close"));
        return;
      }
      socket.once("close", () => {
        done(error);
        process.nextTick(() => duplex.emit("close"));
      });
      socket.terminate();
    },
  });
  socket.on("message", (data, isBinary) => {
    const chunk = !isBinary && duplex.readableObjectMode ? String(data) : data;
    if (!duplex.push(chunk)) socket.pause();
  });
  socket.on("error", (error) => {
    if (!duplex.destroyed) duplex.destroy(error);
  });
  socket.on("close", () => {
    if (!endedByProgram) duplex.push(null);
  });
  duplex.on("end", () => {
    if (!duplex.destroyed && duplex.writableFinished) duplex.destroy();
    else if (!duplex.destroyed && duplex.allowHalfOpen) duplex.end();
  });
  duplex.on("finish", () => {
    if (!duplex.destroyed && duplex.readableEnded) duplex.destroy();
  });
  return duplex;
}
