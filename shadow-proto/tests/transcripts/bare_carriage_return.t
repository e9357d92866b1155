# A carriage return alone inside a head is invalid (RFC 9112 section 2.2).
>>> GET /a HTTP/1.1\r\nHost: a\rX: y\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== nothing complete
