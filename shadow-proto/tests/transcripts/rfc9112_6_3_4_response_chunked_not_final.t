# Rule 4: a response whose last coding is not chunked lasts until the server closes; or it is refused.
>>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n3\r\nabc\r\n0\r\n\r\n
<|
== GET /a 200 complete|ambiguous_framing|malformed
