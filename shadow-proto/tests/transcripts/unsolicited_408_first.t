# A connection on which nothing was ever asked.
... 20s
<<< HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n
<|
>|
== orphan 408 unrequested
