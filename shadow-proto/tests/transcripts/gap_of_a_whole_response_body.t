# All of the body is lost.
>>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n
<>< 10
... 1s
>>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== GET /a 200 response_gap response=10
== GET /b 200 complete response="ok"
