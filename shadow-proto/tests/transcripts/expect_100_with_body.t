# The client waits for 100 (Continue) before its body (RFC 9110 section 10.1.1); 100 is no answer.
>>> POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n
<<< HTTP/1.1 100 Continue\r\n\r\n
>>> hello
<<< HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok
== POST /a 200 complete request="hello" response="ok"
