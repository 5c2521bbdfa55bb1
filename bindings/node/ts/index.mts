export * from "./index.cjs";
export { WebSocket as default } from "./web-socket.cjs";
