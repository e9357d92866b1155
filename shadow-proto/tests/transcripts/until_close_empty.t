# A body that ends before it begins.
>>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n
<|
== GET /a 200 complete response=0
