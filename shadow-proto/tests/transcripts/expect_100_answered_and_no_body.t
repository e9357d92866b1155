# The answer came instead of 100 (Continue), so the client keeps the body and asks on: the server that was promised five
# bytes reads them as that body, and the rest as nonsense.
>>> POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
>>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n
== POST /a 200 ambiguous_framing
== abandoned out_of_step
