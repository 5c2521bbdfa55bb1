export { CookieJar, configure, type Configuration, type WebSocketOptions } from "./configuration.cjs";
export { CloseEvent, MessageEvent, type CloseEventInit, type MessageEventInit } from "./events.cjs";
export { WebSocket, type BinaryType, type WebSocketData } from "./web-socket.cjs";
