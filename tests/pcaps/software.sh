#!/bin/bash
# Makes the captures of more software, in a network namespace of its own: `sudo ./software.sh PYTHON`, where PYTHON is one with
# gunicorn, httpbin, brotli and scapy. Needs bash, iproute2, apache2, haproxy, nginx, node, curl, wrk, zstd and wireshark-common.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=${1:?a Python with gunicorn, httpbin, brotli and scapy}
if [ "${2:-}" != inside ]; then
    exec unshare --net --mount --fork "$here/software.sh" "$python" inside
fi
work=$(mktemp -d)
chmod 755 "$work"
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$work"' EXIT
ip link set lo up
. "$here/capture.sh"

mkdir -p "$work/www" "$work/logs"
printf 'hello\n' > "$work/www/small.txt"
python3 -c 'import json; print(json.dumps([{"id": n, "name": f"row {n}"} for n in range(300)]))' > "$work/www/rows.json"
head -c 150000 /dev/zero | tr '\0' 'x' > "$work/www/large.bin"

cat > "$work/apache.conf" <<CONF
ServerRoot $work
PidFile $work/apache.pid
ErrorLog $work/logs/apache.log
Listen 8100
ServerName apache.test
User nobody
Group nogroup
Mutex pthread
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
LoadModule mime_module /usr/lib/apache2/modules/mod_mime.so
LoadModule deflate_module /usr/lib/apache2/modules/mod_deflate.so
LoadModule filter_module /usr/lib/apache2/modules/mod_filter.so
LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so
TypesConfig /etc/mime.types
DocumentRoot $work/www
AddOutputFilterByType DEFLATE application/json
Redirect /old /small.txt
CONF

cat > "$work/haproxy.cfg" <<CONF
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend keep_alive
    bind 127.0.0.1:8110
    default_backend apache
frontend closing
    bind 127.0.0.1:8111
    option httpclose
    default_backend apache
    http-request deny deny_status 403 if { path /denied }
backend apache
    http-reuse always
    server apache 127.0.0.1:8100
CONF

cat > "$work/nginx.conf" <<CONF
daemon off;
user nobody nogroup;
pid $work/nginx.pid;
error_log $work/logs/nginx.log;
events {}
http {
    access_log off;
    sendfile on;
    client_body_temp_path $work/body;
    proxy_temp_path $work/proxy;
    fastcgi_temp_path $work/fastcgi;
    uwsgi_temp_path $work/uwsgi;
    scgi_temp_path $work/scgi;
    server { listen 8120; root $work/www; }
}
CONF

cat > "$work/server.js" <<'NODE'
const http = require('http'), crypto = require('crypto');
const server = http.createServer((request, response) => {
  if (request.url === '/stream') {
    response.writeHead(200, { 'Content-Type': 'text/plain', Trailer: 'X-Count' });
    let count = 0;
    const timer = setInterval(() => {
      response.write(`part ${count++}\n`);
      if (count === 5) { clearInterval(timer); response.addTrailers({ 'X-Count': '5' }); response.end(); }
    }, 20);
  } else if (request.url === '/hints') {
    response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
    response.end('with hints');
  } else if (request.url === '/processing') {
    response.writeProcessing();
    response.end('after 102');
  } else {
    const chunks = [];
    request.on('data', chunk => chunks.push(chunk));
    request.on('end', () => response.end(Buffer.concat(chunks)));
  }
});
server.on('checkContinue', (request, response) => {
  if (request.url === '/refused') { response.writeHead(417); response.end(); return; }
  response.writeContinue();
  server.emit('request', request, response);
});
server.on('upgrade', (request, socket) => {
  const accept = crypto.createHash('sha1').update(request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11');
  socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    `Sec-WebSocket-Accept: ${accept.digest('base64')}\r\n\r\n`);
  socket.write(Buffer.concat([Buffer.from([0x81, 5]), Buffer.from('hello')]));
  socket.on('data', () => socket.end(Buffer.from([0x88, 0])));
});
server.listen(8130);
NODE

cat > "$work/client.js" <<'NODE'
const http = require('http');
const agent = new http.Agent({ keepAlive: true, maxSockets: 2 });
const ask = (path, options = {}, body) => new Promise((done, fail) => {
  const request = http.request({ port: 8130, path, agent, ...options }, response => { response.resume(); response.on('end', done); });
  request.on('error', fail);
  if (options.headers && options.headers.Expect) { request.flushHeaders(); request.on('continue', () => request.end(body)); }
  else request.end(body);
});
(async () => {
  await ask('/stream');
  await ask('/hints');
  await ask('/processing');
  await ask('/echo', { method: 'POST', headers: { Expect: '100-continue', 'Content-Length': 5 } }, 'hello');
  await ask('/refused', { method: 'POST', agent: undefined, headers: { Expect: '100-continue', 'Content-Length': 5 } }, 'hello');
  await ask('/chunked', { method: 'PUT', headers: { 'Transfer-Encoding': 'chunked' } }, 'x'.repeat(3000));
  await Promise.all([1, 2, 3, 4].map(n => ask(`/parallel/${n}`, { method: 'POST' }, 'y'.repeat(n))));
  await ask('/bye', { headers: { Connection: 'close' } });
  await new Promise(done => {
    const request = http.request({ port: 8130, path: '/socket', headers: { Connection: 'Upgrade', Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' } });
    request.on('upgrade', (response, socket) => { socket.write(Buffer.from([0x88, 0x80, 0, 0, 0, 0])); socket.on('close', done); socket.resume(); });
    request.end();
  });
  agent.destroy();
})();
NODE

cat > "$work/client.py" <<'PYTHON'
import http.client
def ask(connection, method, path, body=None, **headers):
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    connection.getresponse().read()
c = http.client.HTTPConnection("127.0.0.1", 8140)
ask(c, "GET", "/small.txt"); ask(c, "HEAD", "/rows.json"); ask(c, "GET", "/missing"); ask(c, "GET", "/")
c = http.client.HTTPConnection("127.0.0.1", 8100)
ask(c, "GET", "/small.txt"); ask(c, "POST", "/small.txt", iter([b"one", b"two"])); ask(c, "PUT", "/small.txt", b"x" * 5000)
ask(c, "GET", "/rows.json", Connection="close")
PYTHON

apache2 -f "$work/apache.conf" -DFOREGROUND &
haproxy -q -db -f "$work/haproxy.cfg" &
nginx -p "$work" -c "$work/nginx.conf" 2>/dev/null &
node "$work/server.js" &
(cd "$work/www" && exec python3 -m http.server 8140 --bind 127.0.0.1 2>/dev/null) &
"$python" -m gunicorn --log-level critical --keep-alive 5 -b 127.0.0.1:8150 httpbin:app 2>/dev/null &
wait_for 8100 8110 8111 8120 8130 8140 8150

apache() {
    local url=http://127.0.0.1:8100
    fetch $url/small.txt --next -s -o /dev/null --compressed $url/rows.json --next -s -o /dev/null -I $url/rows.json \
        --next -s -o /dev/null -r 0-9,20-29 $url/rows.json --next -s -o /dev/null -r 100-199 $url/rows.json \
        --next -s -o /dev/null $url/old --next -s -o /dev/null -X OPTIONS $url/ --next -s -o /dev/null -X TRACE $url/ \
        --next -s -o /dev/null -H 'If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT' $url/small.txt \
        --next -s -o /dev/null -r 900000- $url/small.txt --next -s -o /dev/null -H 'Host;' $url/small.txt
    fetch --http1.0 $url/rows.json
}
capture apache.pcapng lo -- apache

proxied() {
    fetch http://127.0.0.1:8110/small.txt http://127.0.0.1:8110/rows.json
    fetch -d 'a=b' http://127.0.0.1:8110/small.txt
    fetch http://127.0.0.1:8111/small.txt
    fetch --http1.0 http://127.0.0.1:8111/rows.json
    fetch http://127.0.0.1:8111/denied
}
capture haproxy.pcapng lo -- proxied

capture node.pcapng lo -- node "$work/client.js"

httpbin() {
    local url=http://127.0.0.1:8150
    fetch $url/gzip --next -s -o /dev/null $url/brotli --next -s -o /dev/null $url/deflate \
        --next -s -o /dev/null -L $url/redirect/2 --next -s -o /dev/null $url/stream/3 --next -s -o /dev/null -I $url/get \
        --next -s -o /dev/null $url/status/204 --next -s -o /dev/null $url/status/304 --next -s -o /dev/null $url/range/500 \
        --next -s -o /dev/null -r 10-99 $url/range/500 --next -s -o /dev/null "$url/drip?numbytes=5&duration=1&delay=0" \
        --next -s -o /dev/null -d a=b $url/post --next -s -o /dev/null -X DELETE $url/delete --next -s -o /dev/null $url/bytes/2000
}
capture gunicorn.pcapng lo -- httpbin

capture python-client.pcapng lo -- python3 "$work/client.py"

# An early close: curl leaves in the middle of a download that is slowed down.
variants() {
    fetch -F 'file=@'"$work/www/rows.json" -F field=value http://127.0.0.1:8130/upload
    fetch -0 -d 'old=protocol' http://127.0.0.1:8130/upload
    fetch -sZ http://127.0.0.1:8120/small.txt -o /dev/null http://127.0.0.1:8120/rows.json -o /dev/null http://127.0.0.1:8120/missing
    fetch --limit-rate 20000 --max-time 1 http://127.0.0.1:8120/large.bin || true
}
capture curl-variants.pcapng lo -- variants

cat > "$work/pipeline.lua" <<'LUA'
init = function() local r = {} for i = 1, 8 do r[i] = wrk.format("GET", "/small.txt?" .. i) end req = table.concat(r) end
request = function() return req end
LUA
capture wrk-pipelined.pcapng lo -c 400 -- wrk -t1 -c3 -d1 -s "$work/pipeline.lua" http://127.0.0.1:8120/

# A link that loses, repeats and reorders: two tun devices, joined by a program that does.
unshare --net sleep 1000 &
peer=$!
sleep 0.5
cat > "$work/tunnel.py" <<'PYTHON'
import ctypes, fcntl, os, random, struct, subprocess, sys, threading

def tun(name, address):
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, 0x400454CA, struct.pack("16sH22x", name.encode(), 0x1001))  # TUNSETIFF, IFF_TUN | IFF_NO_PI
    subprocess.run(f"ip addr add {address}/24 dev {name}; ip link set {name} up", shell=True, check=True)
    return device

def forward(source, sink, seed):
    chance, late = random.Random(seed), None
    while packet := os.read(source, 65536):
        fate = chance.random()
        if fate < 0.05:
            continue
        if fate < 0.2 and late is None:
            late = packet
            continue
        os.write(sink, packet)
        if fate > 0.9:
            os.write(sink, packet)
        if late is not None:
            os.write(sink, late)
            late = None

near = tun("tun-near", "10.77.3.1")
ctypes.CDLL(None).setns(os.open(f"/proc/{sys.argv[1]}/ns/net", os.O_RDONLY), 0)
far = tun("tun-far", "10.77.3.2")
threading.Thread(target=forward, args=(near, far, 1), daemon=True).start()
forward(far, near, 2)
PYTHON
python3 "$work/tunnel.py" $peer &
for _ in $(seq 100); do ip -o addr show up 2> /dev/null | grep -q 10.77.3.1 && nsenter -t $peer -n ip -o addr | grep -q 10.77.3.2 && break; sleep 0.1; done
sleep 0.5
troubled() {
    for path in small.txt rows.json large.bin small.txt; do
        nsenter -t $peer -n curl -s --max-time 20 -o /dev/null "http://10.77.3.1:8120/$path" "http://10.77.3.1:8120/small.txt" || true
    done
}
capture nginx-troubled.pcapng tun-near -- troubled

# One end of a pair whose segments the other end has to cut.
ip link add near type veth peer name far netns $peer
ip link set near up
ip addr add 10.77.4.1/24 dev near
nsenter -t $peer -n ip link set far up
nsenter -t $peer -n ip addr add 10.77.4.2/24 dev far
sendfile() { nsenter -t $peer -n curl -s -o /dev/null http://10.77.4.1:8120/large.bin http://10.77.4.1:8120/small.txt; }
capture nginx-sendfile.pcapng near -- sendfile

cd "$here"
plain() { gzip -dc "$1.gz" 2>/dev/null || cat "$1"; }
plain apache.pcapng > "$work/apache.pcapng"
plain haproxy.pcapng > "$work/haproxy.pcapng"
plain node.pcapng > "$work/node.pcapng"
# Packets that were not captured: chosen ones, and of every flow.
editcap "$work/apache.pcapng" apache-lossy.pcapng $(seq 9 13 2000)
editcap "$work/haproxy.pcapng" haproxy-lossy.pcapng $(seq 7 11 2000)
# Nanoseconds; time that runs backwards; several captures in one; the beginning not captured.
editcap -F nsecpcap "$work/node.pcapng" node-nanoseconds.pcap
editcap -F pcap -r "$work/node.pcapng" "$work/first.pcap" 1-20
editcap -F pcap -t -3600 "$work/node.pcapng" "$work/earlier.pcap"
mergecap -a -F pcap -w node-backwards.pcap "$work/first.pcap" "$work/earlier.pcap"
plain nginx-raw-ip.pcapng > "$work/raw.pcapng"
mergecap -w "$work/merged.pcapng" "$work/apache.pcapng" "$work/haproxy.pcapng" "$work/raw.pcapng"
zstd -q -19 -f "$work/merged.pcapng" -o merged.pcapng.zst
editcap "$work/haproxy.pcapng" haproxy-late.pcapng 1-6
gzip -9nf apache-lossy.pcapng haproxy-lossy.pcapng haproxy-late.pcapng node-nanoseconds.pcap node-backwards.pcap

# Other link layers and tunnels, with another implementation's packets.
"$python" wrap.py python-http10.pcap "$here"
gzip -9nf scapy-*.pcap
chmod 644 ./*.gz ./*.zst
ls -l "$here"
