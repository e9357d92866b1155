# Rule 6: in a request.
>>> POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nhello
>|
<<< HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n
<|
== POST /a 400 request_cut
