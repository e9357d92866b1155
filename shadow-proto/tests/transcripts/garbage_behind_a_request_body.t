# What is behind a body is the next request, and this is none: nothing behind it is believed.
>>> POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello\x00\x01garbage
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
>>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== POST /a 200 *
== abandoned out_of_step
