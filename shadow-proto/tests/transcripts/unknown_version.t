# A version that is not ours.
>>> GET /a HTTP/3.7\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== nothing complete
