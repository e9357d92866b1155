# The answer was whole and the request was not when the server stopped speaking HTTP.
>>> POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\x00\x01\x02\x03\x04\x05
>>> 67890
== POST /a 200 request_cut
== abandoned out_of_step
