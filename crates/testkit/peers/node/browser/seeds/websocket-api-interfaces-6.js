  socket.onerror = (event) => {
    console.error("WebSocket error:", event);
  };
