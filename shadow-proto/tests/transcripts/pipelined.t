# Three requests in flight; the responses share segments and keep the order of the requests.
>>> GET /1 HTTP/1.1\r\nHost: a\r\n\r\n
>>> GET /2 HTTP/1.1\r\nHost: a\r\n\r\n
>>> GET /3 HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n22HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n
== GET /1 200 complete response="1"
== GET /2 404 complete response="22"
== GET /3 500 complete response=0
