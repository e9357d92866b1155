# HTTP/1.0 as it was meant.
>>> GET /a HTTP/1.0\r\n\r\n
<<< HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhello
<|
== GET /a 200 complete response="hello"
