# Where the head ends is lost with it; what came before stands.
borders
>>> GET /1 HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
>>> POST /2 HTTP/1.1\r\nHo
><> 20
>>> gth: 5\r\n\r\nhello
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
... 1s
>>> GET /3 HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== GET /1 200 complete response="ok"
== anything incomplete
