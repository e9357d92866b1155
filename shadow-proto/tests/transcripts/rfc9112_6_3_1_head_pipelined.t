# Rule 1: the method of the right request counts, also when several are in flight.
>>> GET /1 HTTP/1.1\r\nHost: a\r\n\r\n
>>> HEAD /2 HTTP/1.1\r\nHost: a\r\n\r\n
>>> GET /3 HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n3
== GET /1 200 complete response="1"
== HEAD /2 200 complete response=0
== GET /3 200 complete response="3"
