# Two exchanges, one after the other, and an orderly end.
>>> GET /1 HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
>>> GET /2 HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
>|
<|
== GET /1 200 complete response="ok"
== GET /2 200 complete response="ok"
