# Obsolete line folding is read in different ways (RFC 9112 section 5.2).
>>> GET /a HTTP/1.1\r\nHost: a\r\nX-Folded: one\r\n two\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== nothing complete
== first * * * ambiguous_framing|malformed
