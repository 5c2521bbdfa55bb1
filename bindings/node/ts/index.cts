export { CookieJar, configure, type Configuration, type WebSocketOptions } from "./configuration.cjs";
export { CloseEvent, MessageEvent, type CloseEventInit, type MessageEventInit } from "./events.cjs";
export { WebSocketError, type WebSocketCloseInfo } from "./web-socket-error.cjs";
export {
  WebSocketStream,
  type WebSocketOpenInfo,
  type WebSocketStreamOptions,
} from "./web-socket-stream.cjs";
export { WebSocket, type BinaryType, type WebSocketData } from "./web-socket.cjs";
export { createWebSocketStream } from "./duplex.cjs";
export {
  ServerSocket,
  type SendOptions,
  type SocketBinaryType,
  type SocketData,
} from "./server-socket.cjs";
export type { SendCallback } from "./writing.cjs";
export type { HeartbeatOptions, PerMessageDeflateOptions } from "./socket-options.cjs";
export {
  WebSocketServer,
  WebSocketServer as Server,
  type ClientInfo,
  type VerifyClient,
  type VerifyClientDone,
  type WebSocketServerOptions,
} from "./web-socket-server.cjs";

// `const WebSocket = require("longwire")` of programs for `ws` finds the states it compares
// with.
export const CONNECTING = 0;
export const OPEN = 1;
export const CLOSING = 2;
export const CLOSED = 3;
