# A preface that does not go on as it must is no HTTP/2.
>>> PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n
== abandoned not_http
