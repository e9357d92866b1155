# A trailer section has the limit of a head.
limits head=1024
>>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Long: \{x*2000}\r\n\r\n
== GET /a 200 head_too_large
