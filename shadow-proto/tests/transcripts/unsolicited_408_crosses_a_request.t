# The 408 does not acknowledge the request that crossed it, so it is not its answer.
>>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
... 60s
>>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
<-< HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n
<|
>!
== GET /a 200 complete response="ok"
== anything incomplete
