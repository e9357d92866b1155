# More than one Host field line must be refused (RFC 9112 section 3.2); a proxy may take the first and a server the last.
>>> GET /a HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
>>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== GET /a 200 ambiguous_host
== GET /b 200 complete
