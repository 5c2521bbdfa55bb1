socket.addEventListener('open', (event) => {
   // Connection is open.
});

socket.addEventListener('message', (event) => {
   const message = event.data;
   // Handle incoming message.
});
