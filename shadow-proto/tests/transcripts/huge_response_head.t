# A response head over the limit.
limits head=1024
>>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nSet-Cookie: \{x*2000}\r\nContent-Length: 2\r\n\r\nok
== nothing complete
== first GET /a * head_too_large
