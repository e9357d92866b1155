# Rule 6: closing before the announced length makes the message incomplete.
>>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello
<|
>|
== GET /a 200 response_cut
