#!/bin/bash
# Makes the captures of this directory from real software, in network namespaces of its own: `sudo ./make.sh`.
# Needs bash, iproute2, nginx, curl, python3, wrk and dumpcap (the package wireshark-common).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

if [ "${1:-}" != inside ]; then
    # One namespace for the servers; the veth captures add a second. Both go when the last process in them does.
    exec unshare --net --mount --fork "$here/make.sh" inside
fi

work=$(mktemp -d)
# nginx runs as root here but lets its workers run as nobody, who must be able to enter.
chmod 755 "$work"
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$work"' EXIT
ip link set lo up

mkdir -p "$work/www" "$work/logs" "$work/cgi"
printf 'hello\n' > "$work/www/small.txt"
python3 - "$work/www" <<'PYTHON'
import json, sys
www = sys.argv[1]
rows = [{"id": n, "name": f"row {n}", "price": n * 1.25} for n in range(400)]
json.dump(rows, open(f"{www}/rows.json", "w"))
open(f"{www}/large.bin", "wb").write(bytes(n // 1024 % 251 for n in range(200_000)))
PYTHON

cat > "$work/nginx.conf" <<CONF
daemon off;
user nobody nogroup;
pid $work/nginx.pid;
error_log $work/logs/error.log;
events {}
http {
    access_log off;
    types { text/plain txt; application/json json; }
    default_type application/octet-stream;
    client_body_temp_path $work/body;
    proxy_temp_path $work/proxy;
    fastcgi_temp_path $work/fastcgi;
    uwsgi_temp_path $work/uwsgi;
    scgi_temp_path $work/scgi;
    root $work/www;
    gzip_types application/json;
    server {
        listen 8080;
        listen [::]:8080;
        gzip on;
        location /echo { proxy_http_version 1.1; proxy_pass http://127.0.0.1:8000; }
        location /close { gzip on; chunked_transfer_encoding off; alias $work/www; }
        location /gone { return 410; }
        location /empty { return 204; }
        location /answer { return 200 "answered before the body\n"; }
    }
    server { listen 8082 http2; }
}
CONF

# Python's own server: HTTP/1.0 by default; /echo gives the request body back, chunked to HTTP/1.1 clients.
cat > "$work/server.py" <<'PYTHON'
import http.server

class Handler(http.server.SimpleHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(201)
        self.send_header("Content-Type", "application/octet-stream")
        if self.protocol_version == "HTTP/1.1":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for start in range(0, len(body), 1000):
                part = body[start:start + 1000]
                self.wfile.write(b"%x;part=%d\r\n%s\r\n" % (len(part), start // 1000, part))
            self.wfile.write(b"0\r\nX-Parts: %d\r\n\r\n" % -(-len(body) // 1000))
        else:
            self.end_headers()
            self.wfile.write(body)
    do_PUT = do_POST

class Modern(Handler):
    protocol_version = "HTTP/1.1"

if __name__ == "__main__":
    import sys, threading
    for port, handler in [(8000, Modern), (8001, Handler)]:
        server = http.server.ThreadingHTTPServer(("", port), handler)
        threading.Thread(target=server.serve_forever).start()
PYTHON

nginx -p "$work" -c "$work/nginx.conf" 2>/dev/null &
(cd "$work/www" && exec python3 "$work/server.py" 2>/dev/null) &
. "$here/capture.sh"
wait_for 8080 8000 8001 8082

url=http://127.0.0.1:8080

keep_alive() {
    local etag
    etag=$(curl -sI $url/small.txt | tr -d '\r' | sed -n 's/^ETag: //p')
    fetch $url/small.txt --next -s -o /dev/null --compressed $url/rows.json --next -s -I -o /dev/null $url/rows.json \
        --next -s -o /dev/null -H "If-None-Match: $etag" $url/small.txt --next -s -o /dev/null $url/missing \
        --next -s -o /dev/null $url/gone --next -s -o /dev/null $url/empty \
        --next -s -o /dev/null -d 'field=value' $url/echo/form --next -s -o /dev/null -r 2-4 $url/small.txt
}
capture nginx-keep-alive.pcapng lo -- keep_alive

large() { fetch $url/large.bin --next -s -o /dev/null --data-binary "@$work/www/large.bin" $url/echo/large; }
capture nginx-large.pcapng lo -- large

expect() {
    fetch -H 'Expect: 100-continue' --data-binary "@$work/www/rows.json" $url/echo/expected
    fetch -T "$work/www/rows.json" -H 'Transfer-Encoding: chunked' $url/echo/chunked
    fetch -T - -H 'Expect: 100-continue' $url/answer < "$work/www/rows.json"
}
capture curl-expect-continue.pcapng lo -- expect

until_close() { fetch --compressed $url/close/rows.json; fetch --http1.0 --compressed $url/close/rows.json; }
capture nginx-until-close.pcapng lo -- until_close

capture nginx-ipv6.pcap lo -P -- fetch "http://[::1]:8080/small.txt" "http://[::1]:8080/rows.json"

python_server() { fetch http://127.0.0.1:8001/; fetch http://127.0.0.1:8001/small.txt; fetch -I http://127.0.0.1:8001/rows.json
    fetch -d 'a=b' http://127.0.0.1:8001/echo; fetch -X BREW http://127.0.0.1:8001/; }
capture python-http10.pcap lo -P -- python_server

pipelined() {
    python3 - <<'PYTHON'
import socket, time
def exchange(*parts):
    with socket.create_connection(("127.0.0.1", 8080)) as sock:
        for part in parts:
            sock.sendall(part)
            time.sleep(0.05)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass
host = b"Host: pipelined\r\n"
get = lambda path: b"GET " + path + b" HTTP/1.1\r\n" + host + b"\r\n"
post = b"POST /echo/%d HTTP/1.1\r\n" + host + b"Content-Length: 5\r\n\r\nbody%d"
# Eight requests in one segment, of which one HEAD and two with bodies.
exchange(get(b"/small.txt") + b"HEAD /rows.json HTTP/1.1\r\n" + host + b"\r\n" + post % (1, 1) + get(b"/missing")
         + get(b"/rows.json") + post % (2, 2) + get(b"/empty") + get(b"/small.txt"))
# One request in many segments, and the next one glued to its last.
exchange(b"PO", b"ST /echo/slow HTTP/1.1\r", b"\nHost: pipelined\r\nContent-", b"Length: 10\r\n\r", b"\n01234", b"56789GET /small",
         b".txt HTTP/1.1\r\n" + host + b"\r\n")
# Empty lines before a request line (RFC 9112 section 2.2).
exchange(b"\r\n\r\n" + get(b"/small.txt") + b"\r\n" + get(b"/gone"))
PYTHON
}
capture python-pipelined.pcapng lo -- pipelined

# The capture begins on a connection that has been in use: its first whole exchange is the second one captured.
cat > "$work/midstream.py" <<'PYTHON'
import os, socket, sys, time
go = sys.argv[1]
with socket.create_connection(("127.0.0.1", 8080)) as sock:
    def exchange(path):
        sock.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: midstream\r\n\r\n")
        time.sleep(0.2)
        sock.recv(65536)
    sock.sendall(b"GET /small.txt HTTP/1.1\r\nHost: mid")
    while not os.path.exists(go):
        time.sleep(0.05)
    sock.sendall(b"stream\r\n\r\n")
    time.sleep(0.2)
    sock.recv(65536)
    for path in [b"/gone", b"/rows.json", b"/small.txt", b"/rows.json", b"/gone"]:
        exchange(path)
PYTHON
python3 "$work/midstream.py" "$work/go" &
client=$!
midstream() { touch "$work/go"; wait $client; }
sleep 0.5
capture nginx-midstream.pcap lo -P -- midstream

capture curl-http2.pcapng lo -- fetch --http2-prior-knowledge http://127.0.0.1:8082/

capture nginx-cooked.pcapng any -- fetch $url/small.txt $url/rows.json

capture nginx-snapped.pcap lo -P -s 400 -- fetch $url/small.txt $url/rows.json $url/small.txt

# The first packets of a load: the capture ends inside exchanges.
capture wrk.pcapng lo -c 600 -- wrk -t1 -c4 -d1 $url/small.txt

# A real link: a second namespace behind a veth pair. Segmentation offload is on, as by default, so segments are larger
# than the link's MTU. A pair of tun devices, joined by a few lines of Python, gives frames that begin with the IP header.
unshare --net sleep 1000 &
peer=$!
sleep 0.5
ip link add near type veth peer name far netns $peer
ip link set near up
ip addr add 10.77.1.1/24 dev near
nsenter -t $peer -n ip link set far up
nsenter -t $peer -n ip addr add 10.77.1.2/24 dev far
cat > "$work/tunnel.py" <<'PYTHON'
import ctypes, fcntl, os, struct, subprocess, sys, threading

def tun(name, address):
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, 0x400454CA, struct.pack("16sH22x", name.encode(), 0x1001))  # TUNSETIFF, IFF_TUN | IFF_NO_PI
    subprocess.run(f"ip addr add {address}/24 dev {name}; ip link set {name} up", shell=True, check=True)
    return device

def forward(source, sink):
    while packet := os.read(source, 65536):
        os.write(sink, packet)

near = tun("tun-near", "10.77.2.1")
ctypes.CDLL(None).setns(os.open(f"/proc/{sys.argv[1]}/ns/net", os.O_RDONLY), 0)
far = tun("tun-far", "10.77.2.2")
threading.Thread(target=forward, args=(near, far), daemon=True).start()
forward(far, near)
PYTHON
python3 "$work/tunnel.py" $peer &
sleep 1
from_peer() { nsenter -t $peer -n curl -s -o /dev/null "http://$1:8080/small.txt" "http://$1:8080/rows.json"; }
capture nginx-veth.pcapng near -- from_peer 10.77.1.1
capture nginx-raw-ip.pcapng tun-near -- from_peer 10.77.2.1
# Two interfaces in one file, and flows whose packets are interleaved.
both_ways() { from_peer 10.77.1.1 & from_peer 10.77.2.1; wait $!; }
capture nginx-two-interfaces.pcapng near -f tcp -i tun-near -f tcp -- both_ways

ls -l "$here"
