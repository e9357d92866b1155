# The target wins (RFC 9112 section 3.2.2), but not with every reader.
>>> GET http://a/a HTTP/1.1\r\nHost: b\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
>>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== GET http://a/a 200 ambiguous_host
== GET /b 200 complete
