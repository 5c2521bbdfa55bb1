socket.onmessage = (event) => {
  console.log("Message from server:", event.data);
};
