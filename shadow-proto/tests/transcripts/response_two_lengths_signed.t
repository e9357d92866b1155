# A sign in the length of a response.
>>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok
== nothing complete
