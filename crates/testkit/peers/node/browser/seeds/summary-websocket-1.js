let socket = new WebSocket("*!*ws*/!*://javascript.info");
