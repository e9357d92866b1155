# The capture begins inside a response body.
midstream
directed
borders
<<< rest of a body
... 1s
>>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== anything incomplete
