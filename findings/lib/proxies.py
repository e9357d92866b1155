"""Five proxies with HTTP/1.1 on both sides and default settings, each in front of an upstream of its own, all on
loopback: HAProxy, Envoy, nginx, Apache httpd and Caddy. Each writes its usual access log."""
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time

NAMES = ("HAProxy", "Apache", "Caddy", "Envoy", "nginx")


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def upstreams(handler):
    """A server for each proxy, which calls handler(name, socket) for each connection: its port by name."""
    ports = {}
    for name in NAMES:
        listener = socket.create_server(("127.0.0.1", 0))
        ports[name] = listener.getsockname()[1]

        def serve(name, sock):
            with contextlib.suppress(OSError):  # the proxy has ended the connection
                handler(name, sock)

        def accept(listener=listener, name=name):
            while True:
                sock, _ = listener.accept()
                threading.Thread(target=serve, args=(name, sock), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
    return ports


def requests(sock):
    """Each request without content on a connection."""
    data = b""
    while piece := sock.recv(65536):
        data += piece
        if data.endswith(b"\r\n\r\n"):
            yield data
            data = b""


def read_all(sock):
    """Bytes until the end of the connection, or until the socket's timeout."""
    data = b""
    try:
        while piece := sock.recv(65536):
            data += piece
    except (TimeoutError, ConnectionResetError):
        pass
    return data


class Proxies:
    """Runs the proxies as long as the `with` block lasts. `ports` has the port of each by name."""

    def __init__(self, servers, nginx_keepalive=False, http2_servers=False):
        self.tmp, self.envoy = os.environ["TMP_OF_FINDING"], os.environ["ENVOY"]
        self.servers, self.ports = servers, {name: free_port() for name in servers}
        self.admin = free_port()  # of Envoy
        self.syslog = socket.socket(type=socket.SOCK_DGRAM)
        self.syslog.bind(("127.0.0.1", 0))
        self.http2_servers = http2_servers  # without TLS; not for nginx, which has no HTTP/2 to the server
        self.nginx_keepalive = nginx_keepalive  # the other proxies keep connections to the server by default
        self.processes = []

    def write(self, name, text):
        with open(f"{self.tmp}/{name}", "w", encoding="ascii") as file:
            file.write(text)
        return f"{self.tmp}/{name}"

    def haproxy(self, port, server):
        options = " proto h2" if self.http2_servers else ""
        path = self.write(
            "haproxy.cfg",
            f"defaults\n mode http\n log 127.0.0.1:{self.syslog.getsockname()[1]} local0\n option httplog\n"
            " timeout connect 5s\n timeout client 20s\n timeout server 20s\n"
            f"listen shop\n bind 127.0.0.1:{port}\n server s 127.0.0.1:{server}{options}\n",
        )
        return ["/usr/sbin/haproxy", "-db", "-q", "-f", path]

    def apache(self, port, server):
        modules = "".join(
            f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"
            for name in ("mpm_event", "authz_core", "proxy", "proxy_http2" if self.http2_servers else "proxy_http")
        )
        scheme = "h2c" if self.http2_servers else "http"
        form = r"%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\""
        path = self.write(
            "apache.conf",
            f"{modules}ServerName shop.test\nListen 127.0.0.1:{port}\nPidFile {self.tmp}/apache.pid\n"
            f"DefaultRuntimeDir {self.tmp}\nErrorLog {self.tmp}/apache.errors\n"
            f'CustomLog {self.tmp}/apache.log "{form}"\n'
            f"ProxyPass / {scheme}://127.0.0.1:{server}/\nProxyPreserveHost on\n",
        )
        return ["/usr/sbin/apache2", "-X", "-f", path]

    def caddy(self, port, server):
        scheme = "h2c://" if self.http2_servers else ""
        path = self.write(
            "Caddyfile",
            f"{{\n admin off\n auto_https off\n}}\n:{port} {{\n log {{\n  output file {self.tmp}/caddy.log\n }}\n"
            f" reverse_proxy {scheme}127.0.0.1:{server}\n}}\n",
        )
        return ["/usr/bin/caddy", "run", "--config", path, "--adapter", "caddyfile"]

    def nginx(self, port, server):
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        paths = "".join(f"{kind}_temp_path {self.tmp}/{kind};" for kind in kinds)
        keepalive = "keepalive 4;" if self.nginx_keepalive else ""
        path = self.write(
            "nginx.conf",
            f"daemon off; master_process off; pid {self.tmp}/nginx.pid; error_log {self.tmp}/nginx.errors;\n"
            f"events {{}}\nhttp {{ access_log {self.tmp}/nginx.log; {paths}\n"
            f"upstream shop {{ server 127.0.0.1:{server}; {keepalive} }} server {{ listen 127.0.0.1:{port};\n"
            "location / { proxy_pass http://shop; proxy_http_version 1.1;"
            ' proxy_set_header Connection ""; proxy_set_header Host $http_host; } } }\n',
        )
        return ["/usr/sbin/nginx", "-c", path]

    def envoy_proxy(self, port, server):
        def address(number):
            return {"socket_address": {"address": "127.0.0.1", "port_value": number}}

        kind = "type.googleapis.com/envoy.extensions."
        file = {"@type": kind + "access_loggers.file.v3.FileAccessLog", "path": f"{self.tmp}/envoy.log"}
        routes = [{"match": {"prefix": "/"}, "route": {"cluster": "shop"}}]
        router = {"@type": kind + "filters.http.router.v3.Router"}
        manager = {
            "@type": kind + "filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "shop",
            "access_log": [{"name": "file", "typed_config": file}],
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
            "http_filters": [{"name": "router", "typed_config": router}],
        }
        endpoints = [{"lb_endpoints": [{"endpoint": {"address": address(server)}}]}]
        assignment = {"cluster_name": "shop", "endpoints": endpoints}
        cluster = {"name": "shop", "connect_timeout": "5s", "load_assignment": assignment}
        if self.http2_servers:
            options = {"@type": kind + "upstreams.http.v3.HttpProtocolOptions"}
            options["explicit_http_config"] = {"http2_protocol_options": {}}
            name = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
            cluster["typed_extension_protocol_options"] = {name: options}
        chains = [{"filters": [{"name": "http", "typed_config": manager}]}]
        resources = {
            "listeners": [{"address": address(port), "filter_chains": chains}],
            "clusters": [cluster],
        }
        admin = {"address": address(self.admin)}
        path = self.write("envoy.json", json.dumps({"admin": admin, "static_resources": resources}))
        return [self.envoy, "-c", path, "--concurrency", "1", "-l", "error", "--use-dynamic-base-id"]

    def __enter__(self):
        commands = {
            "HAProxy": self.haproxy,
            "Apache": self.apache,
            "Caddy": self.caddy,
            "Envoy": self.envoy_proxy,
            "nginx": self.nginx,
        }
        for name, port in self.ports.items():
            command = commands[name](port, self.servers[name])
            # Caddy writes to its user's folder.
            environment = os.environ | {"HOME": self.tmp, "XDG_CONFIG_HOME": self.tmp, "XDG_DATA_HOME": self.tmp}
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            self.processes.append(subprocess.Popen(command, env=environment, **quiet))
        for name, port in self.ports.items():
            for _ in range(400):
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except ConnectionRefusedError:
                    time.sleep(0.05)
            else:
                self.__exit__()
                sys.exit(f"{name} does not start")
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait()

    def connect(self, name, timeout=5):
        return socket.create_connection(("127.0.0.1", self.ports[name]), timeout=timeout)

    def log(self, name):
        """Lines of the access log. HAProxy's are those that have arrived since the last call."""
        if name != "HAProxy":
            with open(f"{self.tmp}/{name.lower()}.log", encoding="utf-8") as file:
                return file.read().splitlines()
        lines = []
        self.syslog.settimeout(0.2)
        try:
            while True:
                lines.append(self.syslog.recv(65536).decode().rstrip("\n"))
        except TimeoutError:
            return lines
