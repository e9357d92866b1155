# A 1xx response answers nothing.
>>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 100 Continue\r\n\r\n
<|
>|
== GET /a - no_response
