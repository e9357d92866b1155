# The server refuses, the client sends the announced body all the same and goes on.
>>> POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n
<<< HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n
>>> hello
>>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== POST /a 417 complete request="hello"
== GET /b 200 complete response="ok"
