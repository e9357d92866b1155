# An absolute target with the same host in the field, written otherwise, is clear (RFC 9112 section 3.2.2).
>>> GET http://B.example:80/a HTTP/1.1\r\nHost: b.example\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== GET http://B.example:80/a 200 complete response="ok"
