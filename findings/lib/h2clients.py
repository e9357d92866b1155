"""Clients of HTTP/2 without TLS: six programs, and the proxies of proxies.py except nginx."""
import subprocess
import sys

from proxies import NAMES, Proxies, read_all

PROXIES = [name for name in NAMES if name != "nginx"]
NODE = """
const client = require('http2').connect(process.argv[1]);
client.on('error', () => {});
let left = Number(process.argv[2]);
for (let i = left; i > 0; i -= 1) {
  const request = client.request({ ':path': '/' });
  request.on('error', () => {});
  request.on('close', () => { left -= 1; if (left === 0) client.close(); });
  request.resume();
  request.end();
}
"""
GRPC_JS = """
const grpc = require('@grpc/grpc-js');
const address = process.argv[1].replace('http://', '').replace('/', '');
const client = new grpc.Client(address, grpc.credentials.createInsecure());
let left = Number(process.argv[2]);
const same = (value) => value;
for (let i = left; i > 0; i -= 1) {
  client.makeUnaryRequest('/shop.Shop/Get', same, same, Buffer.from('7'), { deadline: Date.now() + 8000 }, () => {
    left -= 1;
    if (left === 0) client.close();
  });
}
"""
GRPCIO = """
import sys
import grpc
with grpc.insecure_channel(sys.argv[1].replace("http://", "").replace("/", "")) as channel:
    call = channel.unary_unary("/shop.Shop/Get")
    for one in [call.future(b"7", timeout=8) for _ in range(int(sys.argv[2]))]:
        one.exception()
"""


def commands(port, requests=1):
    """For each program a command that sends so many requests at once."""
    url, number = f"http://127.0.0.1:{port}/", str(requests)
    return {
        "curl": ["curl", "-sS", "-Z", "--http2-prior-knowledge", *(["-o", "/dev/null", url] * requests)],
        "Node": ["node", "-e", NODE, url, number],
        "nghttp": ["nghttp", *(f"{url}{place}" for place in range(requests))],
        "grpcio": [sys.executable, "-c", GRPCIO, url, number],
        "grpc-js": ["node", "-e", GRPC_JS, url, number],
    }


def run(name, port, requests=1):
    """The client's exit code."""
    return subprocess.run(commands(port, requests)[name], capture_output=True, timeout=30, check=False).returncode


def through(proxy, name, method="GET", requests=1):
    """The statuses that clients get which send an HTTP/1.1 request each through a proxy at the same time."""
    content = "Content-Length: 1\r\n\r\n7" if method == "POST" else "\r\n"
    sockets = [proxy.connect(name, timeout=15) for _ in range(requests)]
    for sock in sockets:
        sock.sendall(f"{method} / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n{content}".encode())
    answers = []
    for sock in sockets:
        with sock:
            answers.append(int(read_all(sock)[9:12] or 0))
    return answers


def proxies(servers):
    """The proxies in front of servers by name."""
    return Proxies({name: server.port for name, server in servers.items()}, http2_servers=True)
