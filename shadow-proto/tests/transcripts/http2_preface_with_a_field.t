# A head that only begins as the preface does is a request that no receiver accepts.
>>> PRI * HTTP/2.0\r\nHost: a\r\n\r\n
== PRI * - malformed
