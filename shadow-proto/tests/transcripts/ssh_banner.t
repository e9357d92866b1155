# A protocol in which the server speaks first.
<<< SSH-2.0-OpenSSH_9.2p1\r\n
>>> SSH-2.0-OpenSSH_9.2p1\r\n
<<< \x00\x00\x04\x3c\x09\x14\{\x77*40}
>>> \x00\x00\x04\x3c\x09\x14\{\x77*40}
== anything incomplete
== abandoned not_http
