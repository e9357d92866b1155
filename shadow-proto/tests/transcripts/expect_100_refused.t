# The server refuses with 417 before the body and closes: the request was never whole.
>>> POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n
<<< HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n
<|
>|
== POST /a 417 request_cut
