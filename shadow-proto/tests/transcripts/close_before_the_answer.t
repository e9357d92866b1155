# The server closes without an answer.
>>> GET /1 HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
>>> GET /2 HTTP/1.1\r\nHost: a\r\n\r\n
<|
>|
== GET /1 200 complete
== GET /2 - no_response
