>>> GET /a b\xe9 HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n
<<< HTTP/1.1 200 OK\r\nX: a\r\n b\r\nY : z\r\nContent-Length: 2\r\n\r\nok
>>> G~T http://u:p@h/a?b&c=d;e#f HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\nContent-Length: 2\n\nok
<|
