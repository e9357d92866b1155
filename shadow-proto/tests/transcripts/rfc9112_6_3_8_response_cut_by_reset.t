# Rule 8: until the server closes; a reset is no orderly close (section 8).
>>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
<<< HTTP/1.1 200 OK\r\n\r\nhello
<!
== GET /a 200 response_cut
