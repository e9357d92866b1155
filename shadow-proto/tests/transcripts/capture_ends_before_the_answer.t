# The capture ends before the answer.
>>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
== GET /a - capture_end
