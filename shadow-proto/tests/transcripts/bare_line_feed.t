# Line feeds alone may end lines for some readers (RFC 9112 section 2.2).
>>> GET /a HTTP/1.1\nHost: a\n\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== nothing complete
== first * * * ambiguous_framing|malformed
