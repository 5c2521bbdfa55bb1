// Puts the classes on globalThis, as a browser has them.

import { CloseEvent, MessageEvent, WebSocket, WebSocketError, WebSocketStream } from "./index.cjs";

const classes = { CloseEvent, MessageEvent, WebSocket, WebSocketError, WebSocketStream };
for (const [name, value] of Object.entries(classes)) {
  Object.defineProperty(globalThis, name, {
    value,
    writable: true,
    enumerable: false,
    configurable: true,
  });
}
