# More requests in flight than the limit.
limits pipeline=2
>>> GET /1 HTTP/1.1\r\nHost: a\r\n\r\n
>>> GET /2 HTTP/1.1\r\nHost: a\r\n\r\n
>>> GET /3 HTTP/1.1\r\nHost: a\r\n\r\n
>>> GET /4 HTTP/1.1\r\nHost: a\r\n\r\n
== anything incomplete
