"""Six proxies with HTTP/2 without TLS to the client and HTTP/1.1 to the server, and Node, on loopback."""
import contextlib
import os
import socket
import subprocess
import time

NAMES = ("HAProxy", "Apache", "nghttpx", "h2o", "Node", "Caddy", "lighttpd")
HEADERS, RST_STREAM, SETTINGS, GOAWAY, END_STREAM, END_HEADERS, IS_ACK = 1, 3, 4, 7, 1, 4, 1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def frames(data):
    """(kind, flags, stream, payload) of each whole frame, and the rest."""
    found = []
    while len(data) >= 9 and len(data) >= 9 + (size := int.from_bytes(data[:3], "big")):
        found.append((data[3], data[4], int.from_bytes(data[5:9], "big"), data[9 : 9 + size]))
        data = data[9 + size :]
    return found, data


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    return path


def commands(folder, port, server, node):
    """The command of each; `node` is a script for Node, which gets the port as its argument."""
    names = "mpm_event", "authz_core", "http2", "proxy", "proxy_http"
    modules = "".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n" for name in names)
    apache = (
        f"{modules}User nobody\nGroup nogroup\nServerName shop.test\nListen 127.0.0.1:{port}\n"
        f"PidFile {folder}/apache.pid\nDefaultRuntimeDir {folder}\nErrorLog {folder}/apache.errors\n"
        f"Protocols h2c http/1.1\nProxyPass / http://127.0.0.1:{server}/\n"
    )
    haproxy = (
        "defaults\n mode http\n timeout connect 5s\n timeout client 20s\n timeout server 20s\n"
        f"listen shop\n bind 127.0.0.1:{port} proto h2\n server s 127.0.0.1:{server}\n"
    )
    caddy = (
        "{\n admin off\n auto_https off\n servers {\n  protocols h1 h2c\n }\n}\n"
        f":{port} {{\n reverse_proxy 127.0.0.1:{server}\n}}\n"
    )
    lighttpd = (
        f'server.modules = ("mod_proxy")\nserver.bind = "127.0.0.1"\nserver.port = {port}\n'
        f'server.document-root = "{folder}"\nproxy.server = ("" => (("host" => "127.0.0.1", "port" => {server})))\n'
    )
    h2o = (
        f"user: root\nlisten:\n  host: 127.0.0.1\n  port: {port}\nhosts:\n  default:\n    paths:\n      /:\n"
        f"        proxy.reverse.url: http://127.0.0.1:{server}/\n"
    )
    nghttpx = ["nghttpx", f"-f127.0.0.1,{port};no-tls", f"-b127.0.0.1,{server}", "--workers=1", "--conf=/dev/null"]
    return {
        "HAProxy": ["/usr/sbin/haproxy", "-db", "-f", write(f"{folder}/haproxy.cfg", haproxy)],
        "Apache": ["/usr/sbin/apache2", "-DFOREGROUND", "-f", write(f"{folder}/apache.conf", apache)],
        "nghttpx": nghttpx,
        "h2o": ["h2o", "-c", write(f"{folder}/h2o.conf", h2o)],
        "Node": ["node", "-e", node, str(port)],
        "Caddy": ["/usr/bin/caddy", "run", "--config", write(f"{folder}/Caddyfile", caddy), "--adapter", "caddyfile"],
        "lighttpd": ["/usr/sbin/lighttpd", "-D", "-f", write(f"{folder}/lighttpd.conf", lighttpd)],
    }


@contextlib.contextmanager
def running(name, folder, server, node):
    """The port of a server that runs as long as the `with` block lasts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"HOME": folder, "XDG_CONFIG_HOME": folder, "XDG_DATA_HOME": folder}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(commands(folder, port, server, node)[name], env=environment, **quiet) as process:
        for _ in range(400):
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
            time.sleep(0.05)
        try:
            yield port
        finally:
            process.terminate()
