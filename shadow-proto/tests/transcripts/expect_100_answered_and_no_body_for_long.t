# As long as the promised body is, the server says nothing.
>>> POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\nExpect: 100-continue\r\n\r\n
<<< HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno
>>> GET /b HTTP/1.1\r\nHost: a\r\nCookie: secret\r\n\r\n
== POST /a 403 ambiguous_framing
== abandoned out_of_step
