# A server that is tired of waiting says so; nobody asked.
>>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
... 60s
<<< HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n
<|
>|
== GET /a 200 complete response="ok"
== orphan 408 unrequested
