# White space before the first field line (RFC 9112 section 2.2).
>>> GET /a HTTP/1.1\r\n Host: a\r\nX: y\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== nothing complete
