# A flow that says nothing for longer than the limit is forgotten.
>>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
... 400s
== GET /a - idle
