>>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\nabcdefghij
<>< 10
<<< abcdefghijabcdefghij
... 3s
>>> GET /b HTTP/1.1\r\nCook
><> 9
>>> Host: abc\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
... 20s
>>> GET /c HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
