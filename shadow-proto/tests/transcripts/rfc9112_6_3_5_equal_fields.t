# Rule 5: equal values in two fields.
>>> POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\ncontent-length: 5\r\n\r\nhello
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== POST /a * complete|ambiguous_framing
