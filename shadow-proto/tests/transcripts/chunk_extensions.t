# Extensions are ignored (RFC 9112 section 7.1.1).
>>> POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0;c="d e"\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== POST /a 200 complete request="hello"
