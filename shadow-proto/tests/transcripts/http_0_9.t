# A simple request of HTTP/0.9.
>>> GET /a\r\n
<<< hello
<|
== nothing complete
