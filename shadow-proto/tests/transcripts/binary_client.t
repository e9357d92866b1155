# Bytes that no method can have.
>>> \x00\x01\x02\x03\{\xff*30}
== anything incomplete
== abandoned not_http
