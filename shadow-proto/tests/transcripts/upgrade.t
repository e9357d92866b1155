# A 101 response changes the protocol.
>>> GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n
<<< HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n
<<< \x81\x05hello
>>> GET /fake HTTP/1.1\r\nHost: a\r\n\r\n
== GET /ws 101 *
== abandoned upgraded
