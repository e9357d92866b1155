# Section 6.1: Transfer-Encoding in an HTTP/1.0 message is faulty framing.
>>> POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n
<<< HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok
<|
== nothing complete
== first * * * ambiguous_framing|malformed
