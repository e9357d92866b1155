# A refused CONNECT is an exchange like any other.
>>> CONNECT b.example:443 HTTP/1.1\r\nHost: b.example:443\r\n\r\n
<<< HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno
>>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== CONNECT b.example:443 403 complete response="no"
== GET /b 200 complete response="ok"
