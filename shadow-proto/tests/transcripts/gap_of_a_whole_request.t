# A request is lost, its response is not: it must not answer the next one.
borders
>>> GET /1 HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
><> 33
<<< HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlost
... 1s
>>> GET /3 HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== GET /1 200 complete response="ok"
== anything incomplete
