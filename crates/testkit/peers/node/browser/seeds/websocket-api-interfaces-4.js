  socket.onopen = () => {
    console.log("Connection opened.");
  };
