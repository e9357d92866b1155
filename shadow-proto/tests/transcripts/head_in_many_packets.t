# A head in five segments, cut inside the method, a name, a value and the final empty line.
>>> GE
>>> T /a HTTP/1.1\r\nHo
>>> st: a.exam
>>> ple\r\n\r
>>> \n
<<< HTTP/1.1 20
<<< 0 OK\r\nContent-Length: 5\r
<<< \n\r\nhello
== GET /a 200 complete response="hello"
