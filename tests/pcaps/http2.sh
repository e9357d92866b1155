#!/bin/sh
# Makes http2-nginx.pcap.gz and http2-python.pcap.gz again, on the loopback interface. Needs root, nginx, nghttp, h2load,
# curl, dumpcap, editcap, and a Python with grpcio, hypercorn and httpx[http2] (PYTHON=...).
set -eu
to=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
work=$(mktemp -d)
cd "$work"

capture() { # name, ports, command...
    name=$1 filter=$2
    shift 2
    dumpcap -q -i lo -f "$filter" -w raw.pcapng &
    dumpcap=$!
    sleep 2
    "$@"
    sleep 1
    kill "$dumpcap"
    wait "$dumpcap" || true
    editcap -F pcap raw.pcapng raw.pcap
    gzip -9n < raw.pcap > "$to/$name.pcap.gz"
}

cat > nginx.conf <<END
daemon off; pid $work/pid; error_log $work/log;
events {}
http { access_log off; client_body_temp_path $work/b; proxy_temp_path $work/p; fastcgi_temp_path $work/f;
uwsgi_temp_path $work/u; scgi_temp_path $work/s;
server { listen 127.0.0.1:18082 http2; location /a { return 200 "hello\n"; } location /b { return 404; } } }
END

clients() {
    a=http://127.0.0.1:18082
    nghttp -n $a/a $a/b $a/big.txt
    h2load -n 12 -c 1 -m 3 $a/a $a/big.txt > h2load.txt
    curl -s --http2-prior-knowledge -d body=1 $a/a
}

nginx -c "$work/nginx.conf" &
nginx=$!
sleep 1
capture http2-nginx "tcp port 18082" clients
kill "$nginx"

cat > calls.py <<'END'
# The four kinds of call, metadata, an error and a deadline.
from concurrent import futures
import grpc
def unary(request, context):
    if request == b'err':
        context.abort(grpc.StatusCode.NOT_FOUND, 'none such')
    return request * 2
def stream(request, context):
    yield from [request] * 3
methods = {
    'UU': grpc.unary_unary_rpc_method_handler(unary),
    'US': grpc.unary_stream_rpc_method_handler(stream),
    'SU': grpc.stream_unary_rpc_method_handler(lambda requests, context: b''.join(requests)),
    'SS': grpc.stream_stream_rpc_method_handler(lambda requests, context: requests),
}
server = grpc.server(futures.ThreadPoolExecutor(4))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler('pkg.S', methods),))
server.add_insecure_port('127.0.0.1:18083')
server.start()
channel = grpc.insecure_channel('127.0.0.1:18083')
call = channel.unary_unary('/pkg.S/UU')
for _ in range(4):
    call(b'ab', metadata=(('x-token', 't1'),), timeout=5)
try:
    call(b'err')
except grpc.RpcError:
    pass
list(channel.unary_stream('/pkg.S/US')(b'q'))
channel.stream_unary('/pkg.S/SU')(iter([b'1', b'2']))
list(channel.stream_stream('/pkg.S/SS')(iter([b'1', b'2'])))
channel.close()
server.stop(0)
END

cat > app.py <<'END'
async def app(scope, receive, send):
    if scope['type'] == 'http':
        headers = [(b'content-type', b'text/plain'), (b'x-a', b'b')]
        await send({'type': 'http.response.start', 'status': 200, 'headers': headers})
        await send({'type': 'http.response.body', 'body': b'hi'})
END

cat > client.py <<'END'
import asyncio
import httpx
async def main():
    async with httpx.AsyncClient(http1=False, http2=True) as client:
        for number in range(5):
            await client.get(f'http://127.0.0.1:18084/x{number % 2}')
        posts = [client.post('http://127.0.0.1:18084/p', content=b'z' * 100) for _ in range(3)]
        await asyncio.gather(*posts)
asyncio.run(main())
END

pythons() {
    "$python" calls.py
    "$python" client.py
}

"$python" -m hypercorn -b 127.0.0.1:18084 app:app &
hypercorn=$!
sleep 4
capture http2-python "tcp port 18083 or tcp port 18084" pythons
kill "$hypercorn"
