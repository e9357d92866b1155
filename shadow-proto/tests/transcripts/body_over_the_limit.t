# Behind the cap only length and digest are kept; the next message is not touched.
limits body=1000
>>> PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\n\{x*3000}
<<< HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n\{y*2000}\r\n0\r\n\r\n
>>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== PUT /a 200 complete request=3000 response=2000
== GET /b 200 complete response="ok"
