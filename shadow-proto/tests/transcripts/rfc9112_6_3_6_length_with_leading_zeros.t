# Rule 6: leading zeros are digits (RFC 9110 section 8.6).
>>> POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0005\r\n\r\nhello
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== POST /a 200 complete request="hello"
