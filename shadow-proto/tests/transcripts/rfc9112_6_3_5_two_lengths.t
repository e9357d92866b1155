# Rule 5: two Content-Length fields that differ.
>>> POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 0\r\n\r\nhello
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== nothing complete
== first * * * ambiguous_framing|malformed
