# HTTP/2 with prior knowledge (RFC 9113 section 3.4) is no HTTP/1.
>>> PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00
<<< \x00\x00\x00\x04\x00\x00\x00\x00\x00
== anything incomplete
== abandoned http2
