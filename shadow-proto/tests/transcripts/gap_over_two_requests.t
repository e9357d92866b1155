# A hole from the middle of one request to the middle of the next one.
>>> POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe
><> 20
>>> ost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
... 1s
== anything incomplete
