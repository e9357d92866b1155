# A Host value of two words is none.
>>> GET /a HTTP/1.1\r\nHost: a b\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
>>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== GET /a 200 ambiguous_host
== GET /b 200 complete
