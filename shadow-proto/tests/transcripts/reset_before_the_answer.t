# A reset instead of an answer.
>>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
<!
== GET /a - no_response
