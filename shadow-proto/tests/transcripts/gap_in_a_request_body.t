# A hole in a body of known length costs that exchange alone.
>>> POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n123
><> 3
>>> 7890
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
... 1s
>>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== POST /a 200 request_gap request=10 response="ok"
== GET /b 200 complete response="ok"
