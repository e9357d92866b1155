# Two processors, one race: the response acknowledges a request that is captured a moment later.
>~> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== GET /a 200 complete response="ok"
