socket.send('Hello, server!');
