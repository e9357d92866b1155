#!/usr/bin/env bash
# Software:  prometheus_client 0.26.0 (PyPI) and prom-client 15.1.3 (npm), the official libraries for Python and
#            JavaScript; promtool of Prometheus 2.42.0 (Debian 12).
# Behaviour: the same counter and the same histogram, with the same names and the same values, are other series: the
#            counter `shop_requests` is shop_requests_total in one page and shop_requests in the other, and the bucket
#            of one second has le="1.0" and le="1".
# One would guess otherwise: names and bounds are given by the program, both libraries write the same format, and le is
#            a number.
# Seen:      two services, eight requests in all, of which six took less than a second. The share of requests below a
#            second by {le="1"}: 3 of 8; by {le="1.0"}: 3 of 8. sum by (le): two buckets of 3 for one second.
#            histogram_quantile over that sum: right, since it reads le as a number.
# Source:    github.com/prometheus/client_js/issues/232. Prometheus 3 writes all bounds in one way when it stores them;
#            `_total` is demanded by OpenMetrics.
# Date:      2026-11-30
# So, for a tool that compares a system with its rewrite by their metrics: half of the requests seem to miss the
#            objective although none does, and a counter is missing. Read le as a number, take the name with and without
#            _total for one, and never compare the series' labels as text.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for pair in promtool:prometheus node:nodejs npm:npm; do
    command -v "${pair%:*}" >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y "${pair#*:}" >/dev/null
done
promtool --version 2>&1 | grep -o 'version 2\.42\.0' || { echo 'this finding is about Prometheus 2.42.0'; exit 2; }
npm install --silent --no-audit --no-fund --no-save --prefix "$tmp" prom-client@15.1.3 >/dev/null
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet prometheus_client==0.26.0
cat >"$tmp/page.js" <<'JS'
const { Counter, Histogram, register } = require('prom-client');
const seconds = new Histogram({ name: 'shop_seconds', help: 'time', buckets: [0.5, 1, 10] });
const requests = new Counter({ name: 'shop_requests', help: 'requests' });
for (const value of [0.3, 0.7, 0.7, 2]) { seconds.observe(value); requests.inc(); }
register.metrics().then((page) => console.log(page));
JS
cat >"$tmp/compare.py" <<'PY'
import json
import subprocess
import sys

from prometheus_client import REGISTRY, Counter, Histogram, generate_latest

folder = sys.argv[1]
seconds = Histogram("shop_seconds", "time", buckets=(0.5, 1, 10))
requests = Counter("shop_requests", "requests")
for value in (0.3, 0.7, 0.7, 2):
    seconds.observe(value)
    requests.inc()
node = subprocess.run(["node", f"{folder}/page.js"], capture_output=True, text=True, check=True, cwd=folder).stdout
pages = {"python": generate_latest(REGISTRY).decode(), "node": node}
series = {}
for service, page in pages.items():
    for line in page.splitlines():
        if line.startswith("shop_") and "_created" not in line:
            name, value = line.rsplit(" ", 1)
            name = name.replace("{", f'{{service="{service}",') if "{" in name else f'{name}{{service="{service}"}}'
            series[name] = float(value)
            print(f"{service:6} {line}")
BUCKET = 'shop_seconds_bucket{service="%s",le="%s"}'
pairs = [("python", "1.0"), ("node", "1")]
named = {BUCKET % pair: 3.0 for pair in pairs}
named |= {'shop_requests_total{service="python"}': 4.0, 'shop_requests{service="node"}': 4.0}
if any(series.get(name) != value for name, value in named.items()):
    sys.exit("CHANGED")


def result(value, labels="{}"):
    return [{"labels": labels, "value": value}]


tests = {
    'sum(shop_seconds_bucket{le="1"}) / sum(shop_seconds_count)': result(3 / 8),
    'sum(shop_seconds_bucket{le="1.0"}) / sum(shop_seconds_count)': result(3 / 8),
    'sum by (le) (shop_seconds_bucket{le=~"1|1.0"})': result(3, '{le="1"}') + result(3, '{le="1.0"}'),
    "histogram_quantile(0.5, sum by (le) (shop_seconds_bucket))": result(0.75),
}
queries = [{"expr": text, "eval_time": "0m", "exp_samples": samples} for text, samples in tests.items()]
inputs = [{"series": name, "values": str(value)} for name, value in series.items()]
case = {"evaluation_interval": "1m", "tests": [{"interval": "1m", "input_series": inputs, "promql_expr_test": queries}]}
with open(f"{folder}/case.yaml", "w", encoding="ascii") as file:
    json.dump(case, file)
sys.exit(subprocess.run(["promtool", "test", "rules", f"{folder}/case.yaml"], check=False).returncode)
PY
timeout 60 "$tmp/venv/bin/python" "$tmp/compare.py" "$tmp"
echo 'PASS: equal metrics of two libraries are different series'
