#!/usr/bin/env bash
# Software:  Prometheus 2.42.0 and its promtool (Debian 12), scraping a page of three samples.
# Behaviour: a page has one series twice, with the same labels and the values 5 and 7. Prometheus stores the 5 and says
#            nothing: `up` is 1, scrape_samples_post_metric_relabeling counts both, the counter for duplicates stays 0,
#            the log is silent. `promtool check metrics` calls the page good.
# One would guess otherwise: there is a counter and a usual alert for it (PrometheusDuplicateTimestamps), another bad
#            line makes the whole scrape fail, and to check such a page is what promtool is for.
# Seen:      5, 3 and 7 on the page; 5 and 3 stored; samples counted 3, duplicates 0.
# Source:    github.com/prometheus/prometheus/issues/14089: 2.52 began to count and log duplicates in one scrape.
# Date:      2026-11-30
# So, for a tool that exports counters by route: two routes that become one label value (shortened, masked,
#            lower-cased) are one series with the count of whichever comes first, and no sign of it anywhere. Add them
#            up before they are exported, and test the page for equal series, since neither promtool nor an old
#            Prometheus does.
set -euo pipefail

command -v prometheus >/dev/null ||
    apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends prometheus >/dev/null
version=$(prometheus --version | head -1)
echo "$version"
[[ $version == *' 2.42.0'* ]] || { echo 'this finding is about Prometheus 2.42.0'; exit 2; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

cat >"$tmp/scrape.py" <<'PY'
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

tmp = sys.argv[1]
NAME = "shop_exchanges_total"
PAGE = f"""# HELP {NAME} Exchanges by route.
# TYPE {NAME} counter
{NAME}{{route="/items"}} 5
{NAME}{{route="/carts"}} 3
{NAME}{{route="/items"}} 7
"""


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(PAGE.encode())

    def log_message(self, *_):
        pass


def fetch(path):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return answer.read().decode()


def query(expression):
    result = json.loads(fetch("/api/v1/query?query=" + urllib.parse.quote(expression)))["data"]["result"]
    return {row["metric"].get("route", ""): row["value"][1] for row in result}


server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
threading.Thread(target=server.serve_forever, daemon=True).start()
with socket.socket() as sock:
    sock.bind(("127.0.0.1", 0))
    port = sock.getsockname()[1]
job = {"job_name": "shop", "static_configs": [{"targets": [f"127.0.0.1:{server.server_port}"]}]}
with open(f"{tmp}/prometheus.yml", "w", encoding="ascii") as file:
    json.dump({"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}, file)
command = ["prometheus", f"--config.file={tmp}/prometheus.yml", f"--storage.tsdb.path={tmp}/data"]
command.append(f"--web.listen-address=127.0.0.1:{port}")
with open(f"{tmp}/log", "w", encoding="utf-8") as log:
    prometheus = subprocess.Popen(command, stderr=log)
stored = {}
try:
    for _ in range(60):
        time.sleep(0.5)
        try:
            stored = query(NAME)
        except OSError:
            continue
        if stored:
            break
    time.sleep(2)
    stored, up = query(NAME), query("up")
    counted = query("scrape_samples_post_metric_relabeling")
    own = "prometheus_target_scrapes_sample_duplicate_timestamp_total "
    duplicates = next(line for line in fetch("/metrics").splitlines() if line.startswith(own)).split()[1]
finally:
    prometheus.terminate()
    prometheus.wait()
with open(f"{tmp}/log", encoding="utf-8") as file:
    warnings = [line for line in file if "level=info" not in line and "SIGTERM" not in line]
check = subprocess.run(["promtool", "check", "metrics"], input=PAGE, capture_output=True, text=True, check=False)
print(PAGE, end="")
print(f"stored {stored}, up {up}, samples counted {counted}, duplicates counted {duplicates}")
said = check.stdout + check.stderr
print(f"lines in the log above info: {len(warnings)}; promtool: exit code {check.returncode}, {said!r}")
holds = stored == {"/items": "5", "/carts": "3"} and up == {"": "1"} and counted == {"": "3"}
holds = holds and float(duplicates) == 0 and not warnings and (check.returncode, said) == (0, "")
sys.exit(0 if holds else "CHANGED")
PY
timeout -s INT -k 10 90 python3 "$tmp/scrape.py" "$tmp"
echo 'PASS: 7 of 15 exchanges vanished without a sign'
