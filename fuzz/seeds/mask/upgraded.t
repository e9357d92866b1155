>>> GET /a HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n
<<< HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nabcdef
>>> abcdef
<<< Host: abc\r\n\r\n
