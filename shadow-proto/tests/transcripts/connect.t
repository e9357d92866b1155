# A 2xx response to CONNECT makes a tunnel; what follows is not read (RFC 9112 section 6.3, rule 2).
>>> CONNECT b.example:443 HTTP/1.1\r\nHost: b.example:443\r\n\r\n
<<< HTTP/1.1 200 Connection established\r\nContent-Length: 5\r\n\r\n
>>> \x16\x03\x01\x02\x00\x01\x00\x01
<<< \x16\x03\x03\x00\x7a
== CONNECT b.example:443 200 *
== abandoned tunnel
