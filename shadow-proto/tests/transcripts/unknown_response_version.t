# A status line that is none.
>>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 2x0 OK\r\nContent-Length: 2\r\n\r\nok
== nothing complete
