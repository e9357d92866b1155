#!/usr/bin/env bash
# Software:  CNI plugins 1.1.1 (Debian 12): ptp, and bandwidth, which Kubernetes runs for a pod with the annotation
#            kubernetes.io/egress-bandwidth; tc of iproute2 6.1.0; Linux 6.18. Needs root for namespaces of its own.
# Behaviour: the first of the two on a pod's veth shuts the other out. After bandwidth, `tc qdisc add ... clsact`
#            fails, and without it there is no egress hook for filters. After clsact, bandwidth fails, and with it the
#            pod's network.
# One would guess otherwise: clsact is made for several programs on one device and changes nothing about a packet, and
#            shaping is known to be done by other queues (tbf at the root).
# Seen:      bandwidth first: qdiscs tbf and ingress, then clsact: "Exclusivity flag on, cannot modify". clsact first:
#            bandwidth exits 1, "create ingress qdisc: file exists", and leaves its tbf.
# Source:    github.com/containernetworking/plugins/issues/894 (open). `ingress` and `clsact` share the handle ffff:.
# Date:      2026-11-30
# So, for a passive observer: who adds clsact to each veth as soon as it appears can break the start of the pod for
#            which the veth was made. TCX (Linux 6.6) needs no qdisc: use it where it is. Otherwise look for `ingress`
#            first, do not replace it, and say that one direction of this pod cannot be seen.
set -euo pipefail

[[ $(id -u) == 0 ]] || { echo 'needs root'; exit 2; }
[[ -x /usr/lib/cni/bandwidth ]] || apt-get -o DPkg::Lock::Timeout=300 install -y containernetworking-plugins >/dev/null
command -v tc >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y iproute2 >/dev/null
dpkg-query -W containernetworking-plugins
tmp=$(mktemp -d)
node=findnode$$ pods=(findpod1$$ findpod2$$)
cleanup() {
    for name in "$node" "${pods[@]}"; do ip netns del "$name" 2>/dev/null || true; done
    rm -rf "$tmp"
}
trap cleanup EXIT
for name in "$node" "${pods[@]}"; do ip netns add "$name"; done

plugin() { # name, pod: runs it in the node's namespace with the configuration on stdin, as a runtime does
    CNI_COMMAND=ADD CNI_CONTAINERID="c$2" CNI_NETNS=/run/netns/$2 CNI_IFNAME=eth0 CNI_PATH=/usr/lib/cni \
        timeout 20 ip netns exec "$node" "/usr/lib/cni/$1"
}

pod() { # pod, number: gives it an eth0 and prints its veth on the node
    plugin ptp "$1" >"$tmp/$1.json" <<JSON
{"cniVersion": "0.4.0", "name": "shop", "type": "ptp", "ipam":
 {"type": "host-local", "subnet": "10.77.$2.0/24", "dataDir": "$tmp/ipam"}}
JSON
    python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["interfaces"][0]["name"])' "$tmp/$1.json"
}

bandwidth() { # pod: prints the message and returns the plugin's exit code
    local code=0
    python3 -c '
import json, sys
rate = dict.fromkeys(["ingressRate", "ingressBurst", "egressRate", "egressBurst"], 8_000_000)
before = json.load(open(sys.argv[1]))
print(json.dumps({"cniVersion": "0.4.0", "name": "shop", "type": "bandwidth", **rate, "prevResult": before}))
' "$tmp/$1.json" | plugin bandwidth "$1" >"$tmp/answer" || code=$?
    python3 -c 'import json, sys; print("   ", json.load(open(sys.argv[1])).get("msg", "ok"))' "$tmp/answer"
    return "$code"
}

queues() { tc -n "$node" qdisc show dev "$1" | awk '{ printf "%s ", $2 }'; }

holds=1
echo 'bandwidth first, then clsact'
veth=$(pod "${pods[0]}" 1)
bandwidth "${pods[0]}" || holds=0
echo "    on the veth: $(queues "$veth")"
[[ $(queues "$veth") == *ingress* ]] || holds=0
if tc -n "$node" qdisc add dev "$veth" clsact 2>"$tmp/error"; then holds=0; fi
sed 's/^/    clsact: /' "$tmp/error"

echo 'clsact first, then bandwidth'
veth=$(pod "${pods[1]}" 2)
tc -n "$node" qdisc add dev "$veth" clsact
if bandwidth "${pods[1]}"; then holds=0; fi
grep -q 'create ingress qdisc: file exists' "$tmp/answer" || holds=0
echo "    on the veth: $(queues "$veth")"
[[ $(queues "$veth") == *tbf* ]] || holds=0
(( holds )) || { echo CHANGED; exit 1; }
echo 'PASS: the second of the two is refused'
