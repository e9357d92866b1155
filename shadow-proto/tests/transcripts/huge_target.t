# A request line over the limit.
limits head=1024
>>> GET /\{x*3000} HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 414 URI Too Long\r\nContent-Length: 0\r\n\r\n
== nothing complete
== first * * * head_too_large
