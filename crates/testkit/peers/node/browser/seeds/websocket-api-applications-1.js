webSocket = new WebSocket(url, protocols);
