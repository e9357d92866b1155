# Rule 3: Transfer-Encoding and Content-Length together might be smuggling: an error, never guessed.
>>> POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
>>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== nothing complete
== first * * * ambiguous_framing|malformed
