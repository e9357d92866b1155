#!/usr/bin/env bash
# Lints the chart, renders it with every file in ci/, and validates the manifests against the schemas of Kubernetes 1.25
# to 1.37. Needs helm (3 or 4) and kubernetes-validate (PyPI) on the path; SHADOW, if set, is the agent's binary, which
# then checks each rendered configuration.
set -euo pipefail
cd "$(dirname "$0")"
chart=shadow
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

helm lint --strict "$chart"
helm template shadow "$chart" -n shadow >"$out/default.yaml"
for values in "$chart"/ci/*-values.yaml; do
    helm lint --strict "$chart" -f "$values" >/dev/null
    helm template shadow "$chart" -n shadow -f "$values" >"$out/$(basename "$values")"
done
cp ../daemonset.yaml "$out/daemonset.yaml"

for file in "$out"/*.yaml; do
    for minor in $(seq 25 37); do
        kubernetes-validate --strict --quiet -k "1.$minor" "$file"
    done
    if [ -n "${SHADOW:-}" ]; then
        python3 - "$file" "$out/shadow.conf" <<'PY'
import sys, yaml
for document in yaml.safe_load_all(open(sys.argv[1])):
    if document and document["kind"] == "ConfigMap" and "data" in document:
        open(sys.argv[2], "w").write(document["data"]["shadow.yaml"])
PY
        "$SHADOW" config check "$out/shadow.conf"
    fi
done

# Resources of the Prometheus operator appear only where its API exists.
crds=(-a monitoring.coreos.com/v1/PodMonitor -a monitoring.coreos.com/v1/PrometheusRule)
[ "$(helm template shadow "$chart" "${crds[@]}" | grep -cE '^kind: (PodMonitor|PrometheusRule)$')" = 2 ]
[ "$(helm template shadow "$chart" | grep -cE '^kind: (PodMonitor|PrometheusRule)$' || :)" = 0 ]

# Values that cannot work are refused, with the value's name.
refused() {
    if said=$(helm template shadow "$chart" --set-json "$1" 2>&1); then
        echo "$1 is accepted" >&2
        return 1
    fi
    grep -q "$2" <<<"$said" || { echo "$1: $said" >&2; return 1; }
}
refused 'config.capture.targets=[]' targets
refused 'config.shadow.url="https://next"' url
refused 'config.capture.interfaces=["a-name-that-is-too-long"]' interfaces
refused 'capabilities=["SYS_ADMIN"]' capabilities
refused 'imagePullPolicy="Always"' imagePullPolicy
refused 'presets={"pods": {"enabled": true}, "tests": {"enabled": true}}' 'exclude each other'

(helm template shadow "$chart" --set updateStrategy.maxSurge=1,presets.pods.enabled=true 2>&1 || :) | grep -q 'cannot take over'

# With maxSurge no port of the host is declared, which two pods of one node could not share.
[ "$(helm template shadow "$chart" -f "$chart/ci/surge-values.yaml" | grep -cE 'containerPort|maxUnavailable: 10%' || :)" = 0 ]
[ "$(helm template shadow "$chart" -f "$chart/ci/surge-values.yaml" | grep -cE 'maxSurge: 1|take_over: true|after_handover: wait')" = 3 ]

# The kind ShadowTest and the rights to it come with its preset only.
[ "$(helm template shadow "$chart" | grep -c 'shadow.dev' || :)" = 0 ]
[ "$(helm template shadow "$chart" -f "$chart/ci/tests-values.yaml" | grep -c '^kind: CustomResourceDefinition$')" = 1 ]

# A change of the configuration changes the pods.
sum() { helm template shadow "$chart" --set-json "config.capture.targets=[$1]" | grep checksum/config; }
[ "$(sum 80)" != "$(sum 81)" ]
echo "the chart and the manifests are valid for Kubernetes 1.25 to 1.37"
