# The framing of the response is lost.
>>> GET /1 HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Le
<>< 8
<<< \n\r\nok
... 1s
>>> GET /2 HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
... 1s
== anything incomplete
