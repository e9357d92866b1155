# A server that does not speak HTTP/2 answers the preface in HTTP/1.
>>> PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00
>>> \x00\x00\x06\x01\x05\x00\x00\x00\x01\x82\x86\x84\x01\x01a
<<< HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n
== GET / - no_response
== abandoned http2
