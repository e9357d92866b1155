# A hole from the body of one response to the head of the next one, with both requests known.
>>> GET /1 HTTP/1.1\r\nHost: a\r\n\r\n
>>> GET /2 HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123
<>< 20
<<< ength: 2\r\n\r\nok
... 1s
== anything incomplete
