# A server that does not speak HTTP at all.
>>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
<<< -ERR unknown command\r\n
== nothing complete
== first GET /a - malformed
