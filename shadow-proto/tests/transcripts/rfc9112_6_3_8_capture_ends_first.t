# Rule 8: no close was seen.
>>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\n\r\nhello
== GET /a 200 capture_end
