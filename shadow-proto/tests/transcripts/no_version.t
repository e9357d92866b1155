# A request line without its version, and the answer that it gets: both are shown.
>>> GET /a\r\nHost: a\r\n\r\n
<<< HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno
== nothing complete
== first GET /a 400 malformed
