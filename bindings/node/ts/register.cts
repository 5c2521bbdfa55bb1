// Puts the classes on globalThis, as a browser has them.

import { CloseEvent, MessageEvent, WebSocket } from "./index.cjs";

for (const [name, value] of Object.entries({ CloseEvent, MessageEvent, WebSocket })) {
  Object.defineProperty(globalThis, name, {
    value,
    writable: true,
    enumerable: false,
    configurable: true,
  });
}
