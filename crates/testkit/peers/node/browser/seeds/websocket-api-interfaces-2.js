socket.send("Hello, Server!");
