# Rule 1: 204 has no body, even with a length.
>>> DELETE /a HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 204 No Content\r\n\r\n
>>> DELETE /b HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n
>>> GET /c HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== DELETE /a 204 complete response=0
== DELETE /b 204 complete response=0
== GET /c 200 complete response="ok"
