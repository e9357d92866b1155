#!/bin/sh
# Makes http2-joins.pcap.gz again, on the loopback interface: four clients of HTTP/2 with sixty requests each on one
# connection, with a token that stays and an id that does not. Needs root, nginx, h2load, node, dumpcap,
# editcap, and a Python with grpcio and httpx[http2] (PYTHON=...).
set -eu
to=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
work=$(mktemp -d)
cd "$work"
pids=
trap 'kill $pids 2> /dev/null; wait; rm -rf "$work"' EXIT

cat > nginx.conf <<CONF
daemon off; pid $work/pid; error_log $work/log;
events {}
http { access_log off; client_body_temp_path $work/b; proxy_temp_path $work/p; fastcgi_temp_path $work/f;
uwsgi_temp_path $work/u; scgi_temp_path $work/s;
server { listen 127.0.0.1:18110 http2; location / { return 200 "hello\n"; } } }
CONF
nginx -c "$work/nginx.conf" &
pids="$pids $!"

cat > calls.py <<'PY'
# Unary calls of gRPC, with a token, and an id of each call.
from concurrent import futures
import grpc
methods = {name: grpc.unary_unary_rpc_method_handler(lambda request, context: request) for name in ('Get', 'List')}
server = grpc.server(futures.ThreadPoolExecutor(2))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler('shop.Shop', methods),))
server.add_insecure_port('127.0.0.1:18111')
server.start()
with grpc.insecure_channel('127.0.0.1:18111') as channel:
    calls = [channel.unary_unary('/shop.Shop/' + name) for name in methods]
    for number in range(60):
        calls[number % 2](b'ab', metadata=(('authorization', 'Bearer t'), ('x-request-id', f'id-{number}')), timeout=5)
server.stop(0)
PY

cat > client.py <<'PY'
import httpx
with httpx.Client(http1=False, http2=True, headers={'authorization': 'Bearer t'}) as client:
    for number in range(60):
        client.get(f'http://127.0.0.1:18110/items/{number % 7}', headers={'x-request-id': f'id-{number}'})
PY

cat > client.js <<'JS'
const session = require('node:http2').connect('http://127.0.0.1:18110');
const ask = (number) => {
  if (number === 60) return session.close();
  const path = `/items/${number % 7}`;
  const request = session.request({ ':path': path, authorization: 'Bearer t', 'x-request-id': `id-${number}` });
  request.on('end', () => ask(number + 1)).resume();
};
ask(0);
JS

dumpcap -q -i lo -f "tcp port 18110 or tcp port 18111" -w raw.pcapng &
dumpcap=$!
sleep 2
urls=$(seq 0 59 | while read -r number; do echo "http://127.0.0.1:18110/items/$((number % 7))"; done)
# One word for each address.
# shellcheck disable=SC2086
h2load -n 60 -c 1 -m 1 -H 'authorization: Bearer t' $urls > h2load.txt
node client.js
"$python" client.py
"$python" calls.py
sleep 1
kill "$dumpcap"
wait "$dumpcap" || true
editcap -F pcap raw.pcapng raw.pcap
gzip -9n < raw.pcap > "$to/http2-joins.pcap.gz"
