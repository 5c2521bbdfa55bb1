const socket = new WebSocket('ws://example.com/socket');
