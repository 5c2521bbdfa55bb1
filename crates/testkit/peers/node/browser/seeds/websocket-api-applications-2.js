exampleSocket.send("Here's some text that the server is urgently awaiting!");
