# Not a number for those who trim, a short one for those who stop at a blank.
>>> POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5 0\r\n\r\nhello
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== nothing complete
