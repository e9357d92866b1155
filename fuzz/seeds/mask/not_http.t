<<< 220 hello ESMTP\r\n
>>> HELO x\r\n
<<< 250 OK\r\n
>>> GET / HTTP/1.1\r\nHost: a\r\n\r\n
