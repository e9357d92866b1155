# Rule 1: 304 has no body, even with a length.
>>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 304 Not Modified\r\nContent-Length: 700\r\nETag: "x"\r\n\r\n
>>> GET /c HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== GET /a 304 complete response=0
== GET /c 200 complete response="ok"
