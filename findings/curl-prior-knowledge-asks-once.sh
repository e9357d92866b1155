#!/usr/bin/env bash
# Software:  curl 7.88.1 (Debian 12) with --http2-prior-knowledge, two addresses of one host in one run; nginx 1.22.1.
# Behaviour: the first answer arrives. For the second address curl takes the kept connection, sends nothing on it,
#            closes it, and ends with exit code 16 (error in the framing layer), also with --parallel. The same two
#            addresses in two runs work.
# One would guess otherwise: several addresses in one run share a connection over HTTP/1.1, and over HTTP/2 with TLS.
#            RFC 9113, section 3.3, says of prior knowledge only how a connection begins.
# Seen:      "hello" once, exit code 16; in the log of the server one request, /a. In two runs: both.
# Source:    curl/curl#10643: on reuse a second layer of HTTP/2 was put on the connection; mended after 7.88.1, but not in
#            Debian 12.
# Date:      2026-11-30
# So, for a tool that exports requests over HTTP/2 without TLS: one command of curl for each, never a list. And curl's
#            captured connections have one stream each, so a capture that joins later proves nothing about reuse.
set -euo pipefail

for tool in curl nginx; do
    command -v "$tool" >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$tool" >/dev/null
done
curl --version | grep -o '^curl 7\.88\.1' || { echo 'this finding is about curl 7.88.1'; exit 2; }
nginx -v 2>&1 | grep -o 'nginx/1\.22\.1' || { echo 'this finding is about nginx 1.22.1'; exit 2; }

work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT
chmod 755 "$work"
port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat > "$work/nginx.conf" <<CONF
daemon off; pid $work/pid; error_log $work/error.log;
events {}
http {
    log_format asked '\$request';
    access_log $work/access.log asked;
    client_body_temp_path $work/b; proxy_temp_path $work/p; fastcgi_temp_path $work/f; uwsgi_temp_path $work/u;
    scgi_temp_path $work/s;
    server { listen 127.0.0.1:$port http2; location / { return 200 "hello\n"; } }
}
CONF
nginx -c "$work/nginx.conf" &
server=$!
sleep 1

ask() { # the arguments of curl; prints its output, and its exit code
    curl -q -s --noproxy '*' --max-time 10 "$@" && echo 'exit code 0' || echo "exit code $?"
}
base=http://127.0.0.1:$port
for how in '' --parallel; do
    : > "$work/access.log"
    # No word without an option.
    # shellcheck disable=SC2086
    ask --http2-prior-knowledge $how "$base/a" "$base/b" 2>/dev/null | tee "$work/out"
    cat "$work/access.log"
    [ "$(cat "$work/out")" = $'hello\nexit code 16' ] || { echo 'changed: both were answered'; exit 1; }
    [ "$(wc -l < "$work/access.log")" = 1 ] || { echo 'changed: both arrived'; exit 1; }
done
for path in a b; do
    ask --http2-prior-knowledge "$base/$path" | tee "$work/out"
    [ "$(cat "$work/out")" = $'hello\nexit code 0' ] || { echo 'changed: one by one they fail, too'; exit 1; }
done
