# The capture begins inside a request body that looks like a request.
midstream
directed
borders
>>> GET /fake HTTP/1.1\r\nHost: fake\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== anything incomplete
