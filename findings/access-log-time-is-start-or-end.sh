#!/usr/bin/env bash
# Software:  nginx 1.22.1, Apache httpd 2.4.71, HAProxy 2.6.12 (Debian 12), each as a proxy to one slow server, with
#            their usual access logs: nginx and Apache in the same format (combined), HAProxy in `httplog`.
# Behaviour: the time in a line is when the request arrived in Apache and HAProxy, and when the answer was finished in
#            nginx. All three write a line when the answer is finished.
# One would guess otherwise: "combined" is one format that both servers write by default, parsers take both for the
#            same, and the field in brackets is "the time of the request".
# Seen:      a slow request to each at second 0, answered at second 4; a fast one at second 1. Times of the slow one:
#            Apache and HAProxy second 0, nginx second 4. The fast one's line comes first in each log, so that time
#            goes backwards in two of them.
# Source:    Apache mod_log_config, %t: "Time the request was received"; nginx takes $time_local when it writes the
#            line, and has no variable for the start (it is $msec - $request_time).
# Date:      2026-11-30
# So, for a tool that replays from access logs: nginx's order and nginx's times both put a slow request after the fast
#            ones that it preceded (a write after the reads that followed it), and times of two servers in one system
#            differ by the duration. Ask for the duration in the log, compute the start, and sort by it.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for package in haproxy nginx; do
    [[ -x /usr/sbin/$package ]] || apt-get -o DPkg::Lock::Timeout=300 install -y "$package" >/dev/null
done
[[ -x /usr/sbin/apache2 ]] || apt-get -o DPkg::Lock::Timeout=300 install -y apache2-bin >/dev/null
/usr/sbin/nginx -v 2>&1 | grep -F 'nginx/1.22.1' || { echo 'this finding is about nginx 1.22.1'; exit 2; }
/usr/sbin/apache2 -v | grep -F 'Apache/2.4.71' || { echo 'this finding is about Apache 2.4.71'; exit 2; }
/usr/sbin/haproxy -v | grep -F 'version 2.6.12' || { echo 'this finding is about HAProxy 2.6.12'; exit 2; }
chmod 755 "$tmp"

cat >"$tmp/times.py" <<'PY'
import datetime
import http.client
import os
import re
import socket
import subprocess
import sys
import threading
import time

tmp = sys.argv[1]
SLOW = 4


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def answer_slowly(listener):
    def answer(sock):
        with sock:
            time.sleep(SLOW if b"/slow" in sock.recv(65536) else 0)
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

    while True:
        threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()


def write(name, text):
    with open(f"{tmp}/{name}", "w", encoding="ascii") as file:
        file.write(text)


def get(port, path):
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    client.request("GET", path)
    assert client.getresponse().read() == b"ok"


def second(line):
    """The time in brackets, in seconds since the epoch."""
    stamp = re.search(r"\[(\d+/\w+/\d+:[\d:]+)(\.\d+)?( [+-]\d+)?\]", line)
    moment = datetime.datetime.strptime(stamp[1], "%d/%b/%Y:%H:%M:%S")
    return moment.replace(tzinfo=datetime.timezone.utc).timestamp()


server = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=answer_slowly, args=(server,), daemon=True).start()
upstream = f"127.0.0.1:{server.getsockname()[1]}"
log = socket.socket(type=socket.SOCK_DGRAM)
log.bind(("127.0.0.1", 0))
log.settimeout(10)
ports = {name: free_port() for name in ("nginx", "Apache", "HAProxy")}
temporary = "".join(f"{name}_temp_path {tmp}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
write(
    "nginx.conf",
    f"daemon off; master_process off; pid {tmp}/nginx.pid; error_log {tmp}/error.log; events {{}}\n"
    f"http {{ access_log {tmp}/nginx.log combined; {temporary}\n"
    f"server {{ listen 127.0.0.1:{ports['nginx']}; location / {{ proxy_pass http://{upstream}; }} }} }}\n",
)
modules = ("mpm_event", "authz_core", "proxy", "proxy_http")
write(
    "httpd.conf",
    f"ServerRoot /usr/lib/apache2\nServerName shop.test\nDefaultRuntimeDir {tmp}\nPidFile {tmp}/httpd.pid\n"
    f"ErrorLog {tmp}/httpd.err\nUser www-data\nGroup www-data\nListen 127.0.0.1:{ports['Apache']}\n"
    + "".join(f"LoadModule {name}_module modules/mod_{name}.so\n" for name in modules)
    + 'LogFormat "%h %l %u %t \\"%r\\" %>s %b \\"%{Referer}i\\" \\"%{User-Agent}i\\"" combined\n'
    f"CustomLog {tmp}/apache.log combined\nProxyPass / http://{upstream}/\n",
)
write(
    "haproxy.cfg",
    f"global\n log 127.0.0.1:{log.getsockname()[1]} local0\ndefaults\n mode http\n log global\n option httplog\n"
    " timeout connect 5s\n timeout client 20s\n timeout server 20s\n"
    f"listen shop\n bind 127.0.0.1:{ports['HAProxy']}\n server s {upstream}\n",
)
commands = [
    ["nginx", "-c", f"{tmp}/nginx.conf"],
    ["apache2", "-f", f"{tmp}/httpd.conf", "-DFOREGROUND"],
    ["haproxy", "-db", "-q", "-f", f"{tmp}/haproxy.cfg"],
]
environment = {**os.environ, "TZ": "UTC"}
processes = []
for name, *rest in commands:
    processes.append(subprocess.Popen(["/usr/sbin/" + name, *rest], env=environment, stderr=subprocess.DEVNULL))
try:
    for port in ports.values():
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
    time.sleep(0.5)
    begin = time.time()
    threads = [threading.Thread(target=get, args=(port, "/slow")) for port in ports.values()]
    for thread in threads:
        thread.start()
    time.sleep(1)
    for port in ports.values():
        get(port, "/fast")
    for thread in threads:
        thread.join()
    end = time.time()
    lines = {"HAProxy": [], "nginx": [], "Apache": []}
    while len(lines["HAProxy"]) < 2:
        line = log.recv(4096).decode()
        lines["HAProxy"] += [line.split("]: ", 1)[1]] if "GET /" in line else []
finally:
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait()

for name in ("nginx", "Apache"):
    with open(f"{tmp}/{name.lower()}.log", encoding="ascii") as file:
        lines[name] = [line for line in file if "GET /" in line]
print(f"slow request sent at second 0, answered at second {end - begin:.1f}; fast one at second 1")
holds = True
for name, (first, last) in lines.items():
    times = [second(line) - int(begin) for line in (first, last)]
    for moment, line in zip(times, (first, last)):
        print(f"{name:8} second {moment:.0f}: {line.strip()}")
    holds = holds and "/fast" in first and "/slow" in last
    holds = holds and (times[1] >= SLOW if name == "nginx" else times[1] < times[0])
sys.exit(0 if holds else "CHANGED")
PY
timeout -s INT -k 10 60 python3 "$tmp/times.py" "$tmp"
echo 'PASS: one moment, one format, two times'
