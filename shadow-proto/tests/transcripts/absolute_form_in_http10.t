# HTTP/1.0 needs no Host field.
>>> GET http://a/a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
>>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== GET http://a/a 200 complete
== GET /b 200 complete
