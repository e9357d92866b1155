# A server ought to ignore an empty line before the request line (RFC 9112 section 2.2).
>>> POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
>>> \r\n
>>> GET /2 HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== POST /1 200 complete request="x"
== GET /2 200 complete
