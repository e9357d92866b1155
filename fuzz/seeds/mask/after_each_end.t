>>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
>>> GET /b?q=1 HTTP/1.1\r\nHost: a\r\nCookie: x\r\n\r\n
<<< HTTP/1.1 204 No Content\r\n\r\n
>>> HEAD /c HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n
>>> GET /d HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n3;x=y\r\nabc\r\n0\r\nX: y\r\n\r\n
>>> POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc
<<< HTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n
>>> GET /f HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 Fine\r\nContent-Length: 0\r\n\r\n
<!
