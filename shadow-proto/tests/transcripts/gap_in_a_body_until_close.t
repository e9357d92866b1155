# A hole in a body that lasts until the close.
>>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\n\r\n123
<>< 3
<<< 789
<|
== GET /a 200 response_gap
