# The server answers when it has read the head; the request is still whole, and only then is the exchange.
>>> POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
>>> 67890
>>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== POST /a 200 complete request="1234567890" response="ok"
== GET /b 200 complete response="ok"
