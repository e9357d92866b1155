# Rule 5: an invalid Content-Length is an unrecoverable error.
>>> POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5,\r\n\r\nhello
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
>>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== nothing complete
== first * * * ambiguous_framing|malformed
