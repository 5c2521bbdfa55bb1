socket.close();
