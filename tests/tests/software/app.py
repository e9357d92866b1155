"""A WSGI application whose answers depend on the request only."""


def application(environ, start_response):
    length = int(environ.get("CONTENT_LENGTH") or 0)
    sent = environ["wsgi.input"].read(length) if length else b""
    body = b'{"path": "%s", "sent": %d}' % (environ["PATH_INFO"].encode(), len(sent))
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
