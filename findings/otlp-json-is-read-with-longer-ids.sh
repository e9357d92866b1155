#!/usr/bin/env bash
# Software:  @opentelemetry/exporter-trace-otlp-http 0.57.2 (npm), which sends OTLP as JSON; opentelemetry-proto 1.45.2
#            and protobuf 6.33.6 (PyPI), whose json_format reads it.
# Behaviour: the exporter's JSON is read without an error, and each trace id of 16 bytes has become one of 24 bytes,
#            each span id of 8 bytes one of 12. Written as JSON again, the text is the same as before.
# One would guess otherwise: OTLP is defined by .proto files, their JSON form is defined by protobuf, the official
#            classes read it, and a reader that is wrong fails.
# Seen:      32 hexadecimal digits in the JSON; 24 bytes after json_format.Parse; the same 32 digits by MessageToJson.
# Source:    OTLP specification, "JSON Protobuf Encoding": trace_id and span_id are hexadecimal there, not base64 as
#            protobuf's JSON has bytes. All digits of hexadecimal are digits of base64, and 32 and 16 are multiples of
#            4.
# Date:      2026-11-30
# So, for a tool that joins captured requests with exported spans: no id matches any `traceparent`, though a test that
#            reads and writes JSON passes. Check the length of ids (16 and 8), and read OTLP's JSON by a reader made
#            for it.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    apt-get -o DPkg::Lock::Timeout=300 install -y nodejs npm >/dev/null
fi
npm install --silent --no-audit --no-fund --no-save --prefix "$tmp" @opentelemetry/exporter-trace-otlp-http@0.57.2 \
    @opentelemetry/sdk-trace-base@1.30.1 @opentelemetry/api@1.9.0 >/dev/null
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet opentelemetry-proto==1.45.2 protobuf==6.33.6
cat >"$tmp/export.js" <<'JS'
const { BasicTracerProvider, SimpleSpanProcessor } = require('@opentelemetry/sdk-trace-base');
const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-http');
// Prints the ids of a span, and the body that the exporter sends for it.
const server = require('http').createServer(async (request, response) => {
  let body = '';
  for await (const piece of request) body += piece;
  response.end('{}');
  console.log(JSON.stringify({ context, body }));
  server.close();
});
let context;
server.listen(0, '127.0.0.1', () => {
  const exporter = new OTLPTraceExporter({ url: `http://127.0.0.1:${server.address().port}/v1/traces` });
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const span = provider.getTracer('shop').startSpan('GET /item');
  context = span.spanContext();
  span.end();
  provider.shutdown();
});
JS
cat >"$tmp/ids.py" <<'PY'
import json
import subprocess
import sys

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

command = ["node", sys.argv[1]]
printed = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout)
context, body = printed["context"], printed["body"]
message = json_format.Parse(body, ExportTraceServiceRequest())
span = message.resource_spans[0].scope_spans[0].spans[0]
again = json.loads(json_format.MessageToJson(message))["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
print(f"exported {context['traceId']}, {context['spanId']}")
print(f"read     {span.trace_id.hex()} ({len(span.trace_id)} bytes), {span.span_id.hex()} ({len(span.span_id)} bytes)")
print(f"written  {again['traceId']}, {again['spanId']}")
holds = (
    len(context["traceId"]) == 32
    and context["traceId"] in body
    and (len(span.trace_id), len(span.span_id)) == (24, 12)
    and (again["traceId"], again["spanId"]) == (context["traceId"], context["spanId"])
    and span.name == "GET /item"
)
sys.exit(0 if holds else "CHANGED")
PY
(cd "$tmp" && timeout -s INT -k 10 50 "$tmp/venv/bin/python" ids.py "$tmp/export.js")
echo 'PASS: a trace id of 16 bytes is read as one of 24 bytes, without an error'
