# NUL is in no field value (RFC 9110 section 5.5).
>>> GET /a HTTP/1.1\r\nHost: a\x00b\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== nothing complete
