# The protocol changes before the request body was sent.
>>> POST /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\nContent-Length: 10\r\n\r\n12345
<<< HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n
>>> 67890
== POST /a 101 request_cut
== abandoned upgraded
