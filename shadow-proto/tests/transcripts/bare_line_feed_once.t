# One bare line feed in a head that is otherwise right.
>>> POST /a HTTP/1.1\r\nHost: a\r\nX: y\nContent-Length: 5\r\n\r\nhello
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== nothing complete
