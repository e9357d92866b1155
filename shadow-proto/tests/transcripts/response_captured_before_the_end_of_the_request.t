# The same in the middle of a connection, with a body.
>>> GET /1 HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
>>> POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe
>~> llo
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
>>> GET /3 HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== GET /1 200 complete response="ok"
== POST /2 200 complete request="hello" response="ok"
== GET /3 200 complete response="ok"
