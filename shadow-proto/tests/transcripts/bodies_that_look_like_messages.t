# Text that looks like a message is content where the framing says so.
>>> POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 37\r\n\r\nGET /fake HTTP/1.1\r\nHost: fake\r\n\r\n\r\n\r\n
<<< HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n26\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n\r\n0\r\n\r\n
>>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== POST /a 200 complete request=37 response=38
== GET /b 200 complete response="ok"
