#!/usr/bin/env bash
# Software:  nginx 1.22.1 and Apache httpd 2.4.71 (Debian 12), each with its own "combined" log format.
# Behaviour: both log formats have one name and one layout, and two ways to write what cannot stand as it is: a quote
#            is \x22 in nginx and \" in Apache, a backslash \x5C and \\, the byte C3 \xC3 and \xc3, a tab \x09 and \t.
# One would guess otherwise: parsers take both for one format, and a text in quotes is easy to find: up to the next
#            quote, as with nginx.
# Seen:      User-Agent a"b\c<TAB><C3><A9>: in nginx "a\x22b\x5Cc\x09\xC3\xA9", in Apache "a\"b\\c\t\xc3\xa9". The
#            usual pattern "([^"]*)" reads nginx's in full and ends in Apache's at a\.
# Source:    nginx ngx_http_log_escape (log_format escape=default); Apache ap_escape_logitem.
# Date:      2026-11-30
# So, for a tool that replays from logs: one routine that undoes the escapes is wrong for one of the two (in nginx the
#            two characters \\ never occur, in Apache \x5c never). Ask which server wrote the log, and do not replay a
#            line whose quotes do not match.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
[[ -x /usr/sbin/nginx ]] || apt-get -o DPkg::Lock::Timeout=300 install -y nginx >/dev/null
[[ -x /usr/sbin/apache2 ]] || apt-get -o DPkg::Lock::Timeout=300 install -y apache2-bin >/dev/null
/usr/sbin/nginx -v 2>&1 | grep -F 'nginx/1.22.1' || { echo 'this finding is about nginx 1.22.1'; exit 2; }
/usr/sbin/apache2 -v | grep -F 'Apache/2.4.71' || { echo 'this finding is about Apache httpd 2.4.71'; exit 2; }
chmod 755 "$tmp"
cat >"$tmp/escapes.py" <<'PY'
import re
import socket
import subprocess
import sys
import time

tmp = sys.argv[1]
AGENT = b'a"b\\c\t\xc3\xa9'


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write(name, text):
    with open(f"{tmp}/{name}", "w", encoding="ascii") as file:
        file.write(text)
    return f"{tmp}/{name}"


def nginx(port):
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {tmp}/{kind};" for kind in kinds)
    path = write(
        "nginx.conf",
        f"daemon off; master_process off; pid {tmp}/nginx.pid; error_log {tmp}/nginx.errors; events {{}}\n"
        f"http {{ access_log {tmp}/nginx.log combined; {paths}\n"
        f"server {{ listen 127.0.0.1:{port}; location / {{ return 204; }} }} }}\n",
    )
    return ["/usr/sbin/nginx", "-c", path]


def apache(port):
    names = "mpm_event", "authz_core"
    modules = "".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n" for name in names)
    form = r"%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\""
    path = write(
        "apache.conf",
        f"{modules}User nobody\nGroup nogroup\nServerName shop.test\nListen 127.0.0.1:{port}\n"
        f"PidFile {tmp}/apache.pid\nDefaultRuntimeDir {tmp}\nErrorLog {tmp}/apache.errors\nDocumentRoot {tmp}/files\n"
        f'LogFormat "{form}" combined\nCustomLog {tmp}/apache.log combined\n',
    )
    return ["/usr/sbin/apache2", "-X", "-f", path]


def logged(name, command, port):
    """The User-Agent of a request as logged, whole and by the usual pattern."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
            head = b"GET /item.txt HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\nUser-Agent: "
            sock.sendall(head + AGENT + b"\r\n\r\n")
            while sock.recv(65536):
                pass
        time.sleep(0.3)
        process.terminate()
    with open(f"{tmp}/{name}.log", encoding="ascii") as file:
        (line,) = [line for line in file.read().splitlines() if "item.txt" in line]
    whole = re.search(r'" \d+ \S+ "-" "(.*)"$', line)[1]
    usual = re.search(r'" \d+ \S+ "[^"]*" "([^"]*)"', line)[1]
    print(f"{name:6} {whole}, by the usual pattern {usual}")
    return whole, usual


ports = free_port(), free_port()
results = [logged("nginx", nginx(ports[0]), ports[0]), logged("apache", apache(ports[1]), ports[1])]
expected = [
    (r"a\x22b\x5Cc\x09\xC3\xA9", r"a\x22b\x5Cc\x09\xC3\xA9"),
    (r"a\"b\\c\t\xc3\xa9", "a\\"),
]
sys.exit(0 if results == expected else f"CHANGED: expected {expected}")
PY
mkdir "$tmp/files"
printf content >"$tmp/files/item.txt"
timeout -s INT -k 10 40 python3 "$tmp/escapes.py" "$tmp"
echo 'PASS: one format, two ways to escape'
