# A request body by Content-Length.
>>> POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== POST /a 200 complete request="hello" response="ok"
