# One request, one response.
>>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello
== GET /a 200 complete request=0 response="hello"
