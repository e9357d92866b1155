# A request of HTTP/1 on a connection of HTTP/2: no receiver reads on, and neither do we.
>>> PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00
>>> \x00\x00\x06\x01\x05\x00\x00\x00\x01\x82\x86\x84\x01\x01a
<<< \x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x01\x01\x05\x00\x00\x00\x01\x88
>>> GET /next HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n
== GET / 200 complete
== abandoned out_of_step
