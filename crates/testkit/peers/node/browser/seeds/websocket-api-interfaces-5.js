  socket.onclose = (event) => {
    console.log("Connection closed:", event.code, event.reason);
  };
