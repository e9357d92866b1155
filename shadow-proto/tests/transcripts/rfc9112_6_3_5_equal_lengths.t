# Rule 5: equal values in a list, or in two fields, count as one; refusing them is allowed too.
>>> POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== POST /a * complete|ambiguous_framing
