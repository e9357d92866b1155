#!/bin/bash
# Makes the captures of yet more servers and clients, in a network namespace of its own: `sudo ./servers.sh PYTHON MODULES`, where
# PYTHON is one with uvicorn, hypercorn and websockets, and MODULES a node_modules with undici and ws. Needs bash, iproute2, squid,
# varnish, lighttpd, apache2, git (with git-http-backend), puma, ruby-webrick, starman, libhttp-server-simple-perl, node, curl and wireshark-common.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=${1:?a Python with uvicorn, hypercorn and websockets} modules=${2:?a node_modules with undici and ws}
if [ "${3:-}" != inside ]; then
    exec unshare --net --mount --pid --fork --mount-proc --kill-child "$here/servers.sh" "$python" "$modules" inside
fi
work=$(mktemp -d)
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
ip link set lo up
. "$here/capture.sh"
another="--next -s -o /dev/null --max-time 20"

mkdir -p "$work/www" "$work/logs" "$work/cgi" "$work/dav"
printf 'hello\n' > "$work/www/small.txt"
python3 -c 'import json; print(json.dumps([{"id": n, "name": f"row {n}"} for n in range(100)]))' > "$work/www/rows.json"
printf '#!/bin/sh\nprintf "Content-Type: text/plain\\r\\n\\r\\n"\nfor n in 1 2 3; do echo part $n; sleep 0.1; done\n' > "$work/cgi/slow.sh"
printf '#!/bin/sh\nprintf "Status: 201 Created\\r\\nContent-Type: text/plain\\r\\n\\r\\n"\ncat\n' > "$work/cgi/echo.sh"

# What nearly every server is asked: chunks both ways, 100 (Continue), HEAD, HTTP/1.0, pipelining.
asked() {
    local url=$1
    fetch $url/a $another $url/stream $another -d a=b $url/echo $another -H 'Expect: 100-continue' -d a=b $url/echo \
        $another -T "$work/www/rows.json" -H 'Transfer-Encoding: chunked' $url/echo $another $url/204
    fetch --http1.0 $url/stream
    fetch -I $url/a
    ask_raw "${url##*:}" "GET /1 HTTP/1.1|Host: x||GET /stream HTTP/1.1|Host: x||POST /echo HTTP/1.1|Host: x|Transfer-Encoding: chunked||3;a=\"b\"|abc|0|X-T: 1||GET /2 HTTP/1.1|Host: x|Connection: close||"
}

# ask_raw PORT BYTES: with | for the end of a line; reads until the server closes.
ask_raw() {
    "$python" - "$1" "$2" <<'PYTHON'
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=5) as sock:
    sock.sendall(sys.argv[2].replace("|", "\r\n").encode())
    while sock.recv(65536):
        pass
PYTHON
}

cat > "$work/lighttpd.conf" <<CONF
server.document-root = "$work/www"
server.port = 8200
server.errorlog = "$work/logs/lighttpd.log"
server.modules = ( "mod_cgi", "mod_alias" )
server.stream-response-body = 2
alias.url = ( "/cgi/" => "$work/cgi/" )
\$HTTP["url"] =~ "^/cgi/" { cgi.assign = ( ".sh" => "/bin/sh" ) }
mimetype.assign = ( ".json" => "application/json", "" => "text/plain" )
CONF
cat > "$work/varnish.vcl" <<CONF
vcl 4.1;
backend default { .host = "127.0.0.1"; .port = "8200"; }
sub vcl_recv {
    if (req.url ~ "synth") { return (synth(418, "Teapot")); }
    if (req.url ~ "pipe") { return (pipe); }
}
sub vcl_backend_response { set beresp.do_gzip = (bereq.url ~ "json"); set beresp.ttl = 1s; set beresp.grace = 10s; set beresp.keep = 20s; }
CONF
cat > "$work/squid.conf" <<CONF
http_port 127.0.0.1:8220
pid_filename $work/squid.pid
cache_log $work/logs/squid.log
access_log none
coredump_dir $work
shutdown_lifetime 0 seconds
acl denied dstdomain denied.test
http_access deny denied
http_access allow all
cache_effective_user nobody
cache_effective_group nogroup
visible_hostname squid.test
pipeline_prefetch 2
CONF
cat > "$work/apache.conf" <<CONF
ServerRoot $work
PidFile $work/apache.pid
ErrorLog $work/logs/apache.log
Listen 127.0.0.1:8250
ServerName apache.test
User nobody
Group nogroup
Mutex pthread
$(for module in mpm_prefork authz_core mime alias dav dav_fs dav_lock cgi env; do
    echo "LoadModule ${module}_module /usr/lib/apache2/modules/mod_$module.so"
done)
TypesConfig /etc/mime.types
DocumentRoot $work/www
DavLockDB $work/dav/lock
Alias /dav $work/dav
<Directory $work/dav>
Dav On
</Directory>
SetEnv GIT_PROJECT_ROOT $work/git
SetEnv GIT_HTTP_EXPORT_ALL 1
SetEnv REMOTE_USER me
ScriptAlias /git/ $work/cgi/git.sh/
CONF
printf '#!/bin/sh\nHOME=%s exec %s\n' "$work/git" "/usr/lib/git-core/git-http-backend" > "$work/cgi/git.sh"
git init -q --bare "$work/git/repo.git"
printf '[safe]\n\tdirectory = *\n[http]\n\treceivepack = true\n' > "$work/git/.gitconfig"
chmod 755 "$work/cgi"/*
chown -R nobody:nogroup "$work/git" "$work/dav" "$work/logs"

cat > "$work/app.py" <<'PYTHON'
import asyncio

async def answer(send, status, parts, fields=()):
    await send({"type": "http.response.start", "status": status, "headers": list(fields)})
    for part in parts:
        await send({"type": "http.response.body", "body": part, "more_body": True})
        await asyncio.sleep(0.02)
    await send({"type": "http.response.body", "body": b""})

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": message["type"] + ".complete"})
        return
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] != "websocket.disconnect":
            await send({"type": "websocket.send", "text": message["text"].upper()})
        return
    if scope["path"] == "/early":  # the body is never asked for
        return await answer(send, 200, [b"early"], [(b"content-length", b"5")])
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body")
    if scope["path"] == "/stream":
        return await answer(send, 200, [b"data: %d\n\n" % n for n in range(4)], [(b"content-type", b"text/event-stream")])
    await answer(send, 204 if scope["path"] == "/204" else 200, [body] if body else [])
PYTHON

cat > "$work/config.ru" <<'RUBY'
class Stream; def each; 4.times { |n| yield "part #{n}\n"; sleep 0.03 }; end; end
run(proc { |env|
  case env['PATH_INFO']
  when '/stream' then [200, { 'content-type' => 'text/plain' }, Stream.new]
  when '/hints' then env['rack.early_hints']&.call('link' => "</a.css>; rel=preload\n</b.css>; rel=preload"); [200, {}, ['hinted']]
  when '/204' then [204, {}, []]
  when '/205' then [205, { 'content-length' => '0' }, []]
  when '/echo' then [200, {}, [env['rack.input'].read]]
  when '/hijack' then [200, { 'rack.hijack' => proc { |io| io.write 'raw until the end'; io.close } }, []]
  else [200, { 'content-type' => 'text/plain' }, ["#{env['REQUEST_METHOD']} #{env['PATH_INFO']}"]] end })
RUBY
cat > "$work/webrick.rb" <<'RUBY'
require 'webrick'
server = WEBrick::HTTPServer.new(Port: 8271, BindAddress: '127.0.0.1', AccessLog: [], Logger: WEBrick::Log.new('/dev/null'))
server.mount_proc('/') { |_, response| response.body = 'here' }
server.mount_proc('/stream') { |_, response| response.chunked = true; response.body = proc { |out| 3.times { |n| out.write("part #{n}\n") } } }
server.mount_proc('/echo') { |request, response| response.body = request.body.to_s }
server.start
RUBY
cat > "$work/app.psgi" <<'PERL'
sub { my $env = shift; my $path = $env->{PATH_INFO};
  return sub { my $out = shift->([200, ['Content-Type' => 'text/plain']]); for (1 .. 4) { $out->write("part $_\n"); select undef, undef, undef, 0.03 } $out->close }
    if $path eq '/stream';
  if ($path eq '/echo') { my ($body, $part) = ('', ''); $body .= $part while $env->{'psgi.input'}->read($part, 8192); return [200, [], [$body]] }
  [$path eq '/204' ? 204 : 200, ['Content-Length' => $path eq '/204' ? 0 : length $path], [$path eq '/204' ? () : $path]] }
PERL
cat > "$work/simple.pl" <<'PERL'
package Simple; use base 'HTTP::Server::Simple::CGI';
sub handle_request { my ($self, $cgi) = @_; print "HTTP/1.0 200 OK\r\n", $cgi->header, 'until close' }
Simple->new(8281)->run;
PERL
cat > "$work/undici.js" <<'NODE'
const http = require('http'), { Client, fetch } = require('undici'), { WebSocketServer, WebSocket } = require('ws');
const server = http.createServer((request, response) => {
  if (request.url.startsWith('/slow')) return void setTimeout(() => response.end(request.url), 50);
  if (request.url === '/trailers') {
    response.writeHead(200, { Trailer: 'x-sum' }); response.write('abc');
    return void setTimeout(() => { response.addTrailers({ 'x-sum': '1' }); response.end('def'); }, 10);
  }
  if (request.url === '/hints') {
    for (let n = 0; n < 3; n++) response.writeEarlyHints({ link: `</${n}.css>; rel=preload` });
    return void setTimeout(() => response.end('ok'), 10);
  }
  if (request.url === '/left') { response.write('part'); return void setTimeout(() => response.destroy(), 20); }
  if (request.url === '/reset') { response.write('part'); return void setTimeout(() => request.socket.resetAndDestroy(), 20); }
  const parts = []; request.on('data', part => parts.push(part)); request.on('end', () => response.end(Buffer.concat(parts)));
});
new WebSocketServer({ server, path: '/ws', perMessageDeflate: true }).on('connection', socket => socket.on('message', text => socket.send(text)));
server.listen(8330, '127.0.0.1', async () => {
  const origin = 'http://127.0.0.1:8330', client = new Client(origin, { pipelining: 6 });
  const ask = (path, method = 'GET', body) => client.request({ path, method, body }).then(answer => answer.body.text());
  await Promise.all([ask('/a'), ask('/slow'), ask('/b'), ask('/slow/2'), ask('/h', 'HEAD'), ask('/trailers'), ask('/put', 'PUT', 'x'.repeat(3000)), ask('/hints'), ask('/e')]);
  await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(n => ask(`/pipelined/${n}`)));
  await client.close();
  await fetch(`${origin}/chunks`, { method: 'POST', duplex: 'half', body: (async function* () { yield Buffer.from('one'); yield Buffer.from('two'); })() }).then(answer => answer.text());
  for (const path of ['/left', '/reset']) await fetch(origin + path).then(answer => answer.text()).catch(() => 0);
  await fetch(`${origin}/slow`, { signal: AbortSignal.timeout(20) }).catch(() => 0);
  await new Promise(done => {
    const socket = new WebSocket('ws://127.0.0.1:8330/ws'); let count = 0;
    socket.on('open', () => socket.send('hello')); socket.on('close', done);
    socket.on('message', () => ++count === 4 ? socket.close() : socket.send('GET / HTTP/1.1\r\n\r\n'.repeat(count * 20)));
  });
  process.exit();
});
NODE

lighttpd -D -f "$work/lighttpd.conf" &
varnishd -F -n "$work/varnish" -a 127.0.0.1:8210 -f "$work/varnish.vcl" -s malloc,16m > "$work/logs/varnish.log" 2>&1 &
squid -N -f "$work/squid.conf" > "$work/logs/squid.out" 2>&1 &
apache2 -f "$work/apache.conf" -DFOREGROUND &
(cd "$work" && exec puma --early-hints -q -b tcp://127.0.0.1:8270 -t 2:4 config.ru > "$work/logs/puma.log" 2>&1) &
ruby "$work/webrick.rb" &
perl "$work/simple.pl" > /dev/null 2>&1 &
starman --listen 127.0.0.1:8280 --workers 2 "$work/app.psgi" > "$work/logs/starman.log" 2>&1 &
for server in "uvicorn --port 8300 --http h11 --log-level critical" "uvicorn --port 8301 --http httptools --log-level critical" "hypercorn -b 127.0.0.1:8302"; do
    (cd "$work" && exec "$python" -m $server app:app > "$work/logs/asgi.log" 2>&1) &
done
wait_for 8200 8210 8220 8250 8270 8271 8280 8281 8300 8301 8302

varnish() {
    local url=http://127.0.0.1:8210
    fetch $url/small.txt $another $url/small.txt $another --compressed $url/rows.json $another $url/rows.json $another -I $url/rows.json \
        $another $url/synth $another $url/cgi/slow.sh $another --data-binary "@$work/www/rows.json" $url/cgi/echo.sh \
        $another -T "$work/www/rows.json" -H 'Transfer-Encoding: chunked' $url/cgi/echo.sh $another -H 'Expect: 100-continue' -d a=b $url/cgi/echo.sh
    sleep 1.5  # stale: it is given, and asked for again with If-Modified-Since
    fetch $url/small.txt
    fetch "$url/small.txt?pipe" $another $url/small.txt
    ask_raw 8210 'GET /small.txt HTTP/1.1|Host: x||nonsense||'
}
capture varnish.pcapng lo -- varnish

squid() {
    local url=http://127.0.0.1:8200 by='-x http://127.0.0.1:8220'
    fetch $by $url/small.txt $another $by $url/small.txt $another $by -I $url/rows.json $another $by http://denied.test/ $another $by $url/cgi/slow.sh \
        $another $by -H 'Expect: 100-continue' -d a=b $url/cgi/echo.sh $another $by -T "$work/www/rows.json" -H 'Transfer-Encoding: chunked' $url/cgi/echo.sh
    fetch $by -p $url/small.txt $url/rows.json
    fetch $by -p http://denied.test:80/ || true
    fetch $by -p http://127.0.0.1:1/ || true
    local host="Host: 127.0.0.1:8200"
    ask_raw 8220 "GET $url/small.txt HTTP/1.1|$host||GET $url/rows.json HTTP/1.1|$host||HEAD $url/rows.json HTTP/1.1|$host|Connection: close||"
}
capture squid.pcapng lo -- squid

dav() {
    local url=http://127.0.0.1:8250/dav lock
    lock='<?xml version="1.0"?><lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>'
    fetch -X PROPFIND -H 'Depth: 1' $url/ $another -X MKCOL $url/dir/ $another -T "$work/www/rows.json" $url/dir/rows.json \
        $another -X COPY -H "Destination: $url/dir/copy.json" $url/dir/rows.json $another -X MOVE -H "Destination: $url/moved.json" $url/dir/copy.json \
        $another -X LOCK -d "$lock" $url/moved.json $another -T "$work/www/small.txt" -H 'Expect: 100-continue' $url/moved.json $another -X DELETE $url/dir/
}
by_git() {
    (
        export HOME=$work GIT_CONFIG_NOSYSTEM=1
        cd "$work"
        git clone -q http://127.0.0.1:8250/git/repo.git clone 2> /dev/null
        cd clone
        git config user.name a; git config user.email a@example.org
        for n in $(seq 12); do
            head -c 900 /dev/urandom > "random-$n"
            git add .
            git commit -qm $n
        done
        git push -q origin HEAD:main
        # Larger than the buffer: in chunks. Many names to compare: gzip.
        head -c 6000 /dev/urandom > random && git add . && git commit -qm more
        git -c http.postBuffer=4000 push -q origin HEAD:main
        cd .. && git clone -q -b main --depth 1 http://127.0.0.1:8250/git/repo.git shallow
        cd shallow && git fetch -q --unshallow
    )
}
dav_and_git() { dav; by_git; }
capture dav-git.pcapng lo -- dav_and_git

rubies() {
    asked http://127.0.0.1:8270
    fetch http://127.0.0.1:8270/hints $another http://127.0.0.1:8270/205 $another http://127.0.0.1:8270/hijack
    asked http://127.0.0.1:8271
}
capture puma-webrick.pcapng lo -- rubies

# Both give HEAD a body.
perls() {
    asked http://127.0.0.1:8280
    fetch http://127.0.0.1:8281/ $another -d a=b http://127.0.0.1:8281/
    fetch -I http://127.0.0.1:8281/
}
capture perl.pcapng lo -- perls

asgi() {
    local port
    for port in 8300 8301 8302; do
        local url=http://127.0.0.1:$port
        fetch $url/a $another $url/stream $another -d a=b $url/echo $another -T "$work/www/rows.json" -H 'Transfer-Encoding: chunked' $url/echo $another $url/204
        # The answer comes instead of 100 (Continue): curl keeps the body and asks on.
        fetch -H 'Expect: 100-continue' -d a=b $url/early $another $url/after $another $url/after/that
        fetch -H 'Expect: 100-continue' --data-binary "@$work/www/rows.json" $url/early $another $url/after || true
        ask_raw $port 'GET /a HTTP/1.1|Host: x||GARBAGE||'
    done
    fetch --http2-prior-knowledge http://127.0.0.1:8302/a
    fetch --http2 http://127.0.0.1:8302/a http://127.0.0.1:8302/b
    "$python" - <<'PYTHON'
import asyncio, websockets
async def main():
    async with websockets.connect("ws://127.0.0.1:8300/ws") as socket:
        for text in ["a", "GET / HTTP/1.1\r\n\r\n", "c" * 3000]:
            await socket.send(text)
            await socket.recv()
asyncio.run(main())
PYTHON
}
capture asgi.pcapng lo -- asgi

NODE_PATH=$modules capture undici.pcapng lo -- node "$work/undici.js"

capture unusual.pcapng lo -- python3 "$here/unusual.py"

# A bridge between two namespaces: what passes it is captured three times, on both ports and on the bridge.
unshare --net sleep 1000 &
client=$!
unshare --net sleep 1000 &
server=$!
sleep 0.5
ip link add bridge type bridge
ip link set bridge up
for end in client server; do
    ip link add $end type veth peer name far netns ${!end}
    ip link set $end master bridge up
    nsenter -t ${!end} -n ip link set far up
done
nsenter -t $client -n ip addr add 10.88.1.2/24 dev far
nsenter -t $server -n ip addr add 10.88.1.3/24 dev far
(cd "$work/www" && exec nsenter -t $server -n python3 -m http.server -p HTTP/1.1 8410 > /dev/null 2>&1) &
sleep 2
bridged() {
    local url=http://10.88.1.3:8410
    nsenter -t $client -n curl -s -o /dev/null $url/small.txt $another $url/rows.json $another -I $url/rows.json
    nsenter -t $client -n curl -s -o /dev/null $url/missing
}
capture bridge.pcapng client -f tcp -i bridge -f tcp -i server -f tcp -- bridged
capture bridge-any.pcapng any -y LINUX_SLL2 -- bridged
ls -l "$here"
