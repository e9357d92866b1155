# One of the two has a sign: RFC 9110 section 8.6 knows digits only.
>>> POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: +5\r\n\r\nhello
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== nothing complete
