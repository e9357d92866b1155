# No white space between name and colon (RFC 9112 section 5.1).
>>> POST /a HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== nothing complete
