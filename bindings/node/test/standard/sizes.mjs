// Messages of every length, in each type of data.

import { equal, next, ok, opened } from "./harness.mjs";

const SIZES = [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20, 64 << 20];

function filled(size) {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i += 4093) bytes[i] = i % 251;
  if (size > 0) bytes[size - 1] = 7;
  return bytes;
}

function alike(a, b) {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

export default (test) => {
  for (const [name, give] of [
    ["an ArrayBuffer", (bytes) => bytes.buffer],
    ["a view", (bytes) => bytes],
    ["a Blob", (bytes) => new Blob([bytes])],
  ]) {
    test(`${name} of 0 B to 64 MiB comes back`, async ({ WebSocket, url }) => {
      const socket = await opened(WebSocket, `${url}/echo`);
      for (const size of SIZES) {
        const bytes = filled(size);
        socket.send(give(bytes));
        const { data } = await next(socket, "message");
        ok(data instanceof ArrayBuffer);
        ok(alike(new Uint8Array(data), bytes), `${size} bytes`);
      }
      socket.close();
    });
  }

  test("a text of 0 B to 64 MiB comes back, in characters of one to four bytes", async ({ WebSocket, url }) => {
    const socket = await opened(WebSocket, `${url}/echo`);
    for (const character of ["a", "\u00e9", "\u20ac", "\u{1f600}"]) {
      const width = new TextEncoder().encode(character).length;
      for (const size of character === "a" ? SIZES : SIZES.slice(0, -1)) {
        const text = character.repeat(Math.ceil(size / width));
        socket.send(text);
        const { data } = await next(socket, "message");
        equal(data.length, text.length);
        ok(data === text, `${size} bytes`);
      }
    }
    socket.close();
  });

  test("a binary message is handed out as a Blob of its size", async ({ WebSocket, url }) => {
    const socket = await opened(WebSocket, `${url}/echo`);
    socket.binaryType = "blob";
    for (const size of SIZES) {
      const bytes = filled(size);
      socket.send(bytes);
      const { data } = await next(socket, "message");
      equal(data.size, size);
      ok(alike(new Uint8Array(await data.arrayBuffer()), bytes), `${size} bytes`);
    }
    socket.close();
  });
};
