# Exactly as many fields as the limit.
limits fields=16
>>> GET /a HTTP/1.1\r\nHost: a\r\n\{X: y\r\n*15}\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== GET /a 200 complete
