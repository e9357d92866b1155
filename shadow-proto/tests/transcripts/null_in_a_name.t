# NUL is in no field name (RFC 9110 section 5.1).
>>> GET /a HTTP/1.1\r\nHost: a\r\nX\x00Y: z\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== nothing complete
