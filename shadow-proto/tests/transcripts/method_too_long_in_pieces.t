# A method is no longer for coming in two pieces: what is no request line stays none.
>>> GG
>>> \{G*90}ET /b HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== nothing complete
