# More fields than the limit.
limits fields=16
>>> GET /a HTTP/1.1\r\nHost: a\r\n\{X: y\r\n*16}\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== nothing complete
== first * * * head_too_large
