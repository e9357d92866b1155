# A response is lost: the next one must not take its place.
>>> GET /1 HTTP/1.1\r\nHost: a\r\n\r\n
<>< 40
... 1s
>>> GET /2 HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo
... 1s
== anything incomplete
