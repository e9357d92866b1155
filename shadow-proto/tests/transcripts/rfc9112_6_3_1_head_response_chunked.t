# Rule 1: also with Transfer-Encoding.
>>> HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n
>>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== HEAD /a 200 complete response=0
== GET /b 200 complete response="ok"
