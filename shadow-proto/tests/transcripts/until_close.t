# A response without a length lasts until the server closes.
>>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\n\r\nhello
<<<  world
<|
>|
== GET /a 200 complete response="hello\x20world"
