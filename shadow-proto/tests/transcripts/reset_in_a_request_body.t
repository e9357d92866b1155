# A reset inside a request.
>>> POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nhello
<!
== POST /a - request_cut
