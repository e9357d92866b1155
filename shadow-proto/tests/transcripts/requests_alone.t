# Only the client's direction is captured.
directed
>>> GET /1 HTTP/1.1\r\nHost: a\r\n\r\n
<>< 40
>>> GET /2 HTTP/1.1\r\nHost: a\r\n\r\n
<>< 40
>|
== GET /1 - *
== GET /2 - *
