# HTTP/1.0 persists when both sides say so (RFC 9112 section 9.3, appendix C.2.2).
>>> GET /1 HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n
<<< HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\n1
>>> GET /2 HTTP/1.0\r\n\r\n
<<< HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n2
<|
== GET /1 200 complete response="1"
== GET /2 200 complete response="2"
