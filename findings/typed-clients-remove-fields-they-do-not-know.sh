#!/usr/bin/env bash
# Software:  kubernetes 37.0.2 (PyPI) and @kubernetes/client-node 1.4.0 (npm), the official clients for Python and
#            JavaScript, without a cluster: an answer of the API server is read and written back as a `replace` sends
#            it.
# Behaviour: fields that the client's version does not know are gone, without an error. A tool that reads an object,
#            changes a label and replaces it removes them from the object. Python also writes a time without its
#            fraction when the microseconds are zero, which is not the form of the field (MicroTime).
# One would guess otherwise: clients of an API that grows with each release keep what they do not understand, as kubectl
#            and the API server do; and a value that is not touched is written as it was read.
# Seen:      a pod with `spec.futureField` and a container with `futureField`: neither is in the output of both. A
#            Lease's acquireTime "2026-01-01T00:00:00.000000Z": Python writes "2026-01-01T00:00:00+00:00", JavaScript
#            the same as was read.
# Source:    both are generated from a release's OpenAPI document; a merge patch of what changed avoids it.
#            github.com/kubernetes/kubernetes/pull/141204 (open): the API server rejects a MicroTime without six digits.
# Date:      2026-11-30
# So, for a tool that edits workloads (to add an annotation, a sidecar, a mark for mirroring): with a newer cluster it
#            turns features off that it has never heard of. Patch, never replace. And for one that compares manifests:
#            what such a client printed is not what is stored.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for pair in node:nodejs npm:npm; do
    command -v "${pair%:*}" >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y "${pair#*:}" >/dev/null
done
npm install --silent --no-audit --no-fund --no-save --prefix "$tmp" @kubernetes/client-node@1.4.0 >/dev/null
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet kubernetes==37.0.2
cat >"$tmp/copy.mjs" <<'JS'
import { readFileSync } from 'node:fs';

const file = './node_modules/@kubernetes/client-node/dist/gen/models/ObjectSerializer.js';
const { ObjectSerializer } = await import(file);

const objects = JSON.parse(readFileSync(0, 'utf8'));
for (const type of Object.keys(objects)) {
  objects[type] = ObjectSerializer.serialize(ObjectSerializer.deserialize(objects[type], type, ''), type, '');
}
console.log(JSON.stringify(objects));
JS
cat >"$tmp/fields.py" <<'PY'
import json
import subprocess
import sys

from kubernetes.client import ApiClient

TIME = "2026-01-01T00:00:00.000000Z"
CONTAINER = {"name": "shop", "image": "shop:1"}
POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "shop"}, "spec": {"containers": [CONTAINER]}}
LEASE = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "shop"}}
LEASE["spec"] = {"holderIdentity": "a", "acquireTime": TIME}
newer = json.loads(json.dumps(POD))
newer["spec"]["futureField"] = {"mode": "On"}
newer["spec"]["containers"][0]["futureField"] = "On"
stored = {"V1Pod": newer, "V1Lease": LEASE}

client = ApiClient()
python = {}
for kind, value in stored.items():
    copy = client.deserialize(json.dumps(value), kind, "application/json")
    python[kind] = client.sanitize_for_serialization(copy)
command = ["node", f"{sys.argv[1]}/copy.mjs"]
node = subprocess.run(command, input=json.dumps(stored), capture_output=True, text=True, check=True)
javascript = json.loads(node.stdout)
for name, found in (("Python", python), ("JavaScript", javascript)):
    print(f"{name:10} pod", json.dumps(found["V1Pod"]["spec"]), found["V1Lease"]["spec"]["acquireTime"])
times = [found["V1Lease"]["spec"]["acquireTime"] for found in (python, javascript)]
holds = python["V1Pod"] == javascript["V1Pod"] == POD and times == ["2026-01-01T00:00:00+00:00", TIME]
sys.exit(0 if holds else "CHANGED")
PY
timeout 60 "$tmp/venv/bin/python" "$tmp/fields.py" "$tmp"
echo 'PASS: unknown fields are gone after reading and writing'
