# NUL is in no request target (RFC 9112 section 3.2).
>>> GET /a\x00b HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== nothing complete
