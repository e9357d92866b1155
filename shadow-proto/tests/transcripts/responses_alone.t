# Only the server's direction is captured: nothing is known of the requests.
directed
><> 30
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
><> 30
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
<|
== anything incomplete
