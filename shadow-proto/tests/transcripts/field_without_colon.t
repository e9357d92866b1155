# A field line without a colon.
>>> GET /a HTTP/1.1\r\nHost\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== nothing complete
