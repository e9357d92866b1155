# Every byte is there, but not the last chunk (RFC 9112 section 8).
>>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n
<|
== GET /a 200 response_cut
