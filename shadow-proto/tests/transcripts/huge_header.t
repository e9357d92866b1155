# A head over the limit.
limits head=1024
>>> GET /a HTTP/1.1\r\nHost: a\r\nCookie: \{x*2000}\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== nothing complete
== first * * * head_too_large
