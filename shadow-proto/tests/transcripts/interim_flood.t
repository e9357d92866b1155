# Many 1xx responses are read past.
>>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
<<< \{HTTP/1.1 100 Continue\r\n\r\n*40}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== GET /a 200 complete response="ok"
