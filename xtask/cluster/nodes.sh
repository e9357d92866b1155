#!/bin/bash
# nodes.sh up|down FOLDER: a Kubernetes cluster of two nodes on this machine, from the programs that build.sh has built.
#   nodes.sh image FOLDER NAME FILE   an OCI archive as an image on both nodes
#
# A node is a network namespace (skn1: control plane and node1, 10.77.0.1, pods 10.78.1.0/24; skn2: node2), a mount
# namespace with its own /var/log/pods, /var/lib/kubelet and /var/lib/shadow, a containerd, a kubelet and a kube-proxy.
# Everything that runs is written to FOLDER/run, and ended by `down`. CNI=ptp gives routed links instead of a bridge.
# Needs root.
set -u
verb=$1
lab=$(realpath -m "$2")
here=$(cd "$(dirname "$0")" && pwd)
run=$lab/run
api=https://10.77.0.1:26443
export KUBECONFIG=$run/kubeconfig PATH=$lab/bin:$PATH
# Two kubelets with one /var/log/pods would delete each other's logs.
own="/var/log/pods /var/log/containers /var/lib/kubelet /var/lib/shadow"
sysctls="vm/overcommit_memory kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes"

in_node() { local node=$1; shift; nsenter --net="/run/netns/skn$node" "$@"; }

# start NAME NODE COMMAND...: in a session of its own, so that Ctrl-C is not for it; its process id in run/NAME.pid.
start() {
  local name=$1 node=$2
  shift 2
  nsenter --net="/run/netns/skn$node" --mount="$run/mount/skn$node" setsid "$@" >"$run/$name.log" 2>&1 </dev/null &
  echo $! >"$run/$name.pid"
  disown
}

# stop NAME...: waits for the end of each, at most ten seconds.
stop() {
  for name in "$@"; do [ -f "$run/$name.pid" ] && kill "$(cat "$run/$name.pid")" 2>/dev/null; done
  for name in "$@"; do
    [ -f "$run/$name.pid" ] || continue
    local pid
    pid=$(cat "$run/$name.pid")
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null
    rm -f "$run/$name.pid"
  done
}

links() {
  mkdir -p "$run/mount"
  mount --bind "$run/mount" "$run/mount"
  mount --make-private "$run/mount"
  for node in 1 2; do
    ip netns add skn$node
    in_node $node ip link set lo up
    touch "$run/mount/skn$node"
    unshare --mount="$run/mount/skn$node" --propagation slave true
    nsenter --mount="$run/mount/skn$node" mount --make-rshared /
    for folder in $own; do
      mkdir -p "$folder" "$run/disk$node$folder"
      nsenter --mount="$run/mount/skn$node" mount --bind "$run/disk$node$folder" "$folder"
    done
  done
  ip link add skn1u netns skn1 type veth peer name skn2u netns skn2
  for node in 1 2; do
    local other=$((3 - node))
    in_node $node ip link set skn${node}u name uplink
    in_node $node ip addr add 10.77.0.$node/24 dev uplink
    in_node $node ip -6 addr add fd77::$node/64 dev uplink nodad
    in_node $node ip link set uplink up
    in_node $node sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=0
    in_node $node sysctl -qw net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1 2>/dev/null
    in_node $node ip route add 10.78.$other.0/24 via 10.77.0.$other
    in_node $node ip -6 route add fd78:$other::/64 via fd77::$other
    # The API server and the kubelets ask for a default route; nothing leads there.
    in_node $node ip route add default via 10.77.0.$other
  done
}

# The files of a node that its containerd, its plug-in and its kubelet read.
settings() {
  local node=$1 plugin='"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true'
  [ "${CNI:-bridge}" = ptp ] && plugin='"type": "ptp"'
  mkdir -p "$run/cni$node" "$run/containerd$node"
  cat >"$run/cni$node/10.conflist" <<END
{"cniVersion": "0.4.0", "name": "kube", "plugins": [{$plugin, "ipMasq": false,
 "ipam": {"type": "host-local", "dataDir": "$run/ipam$node",
  "ranges": [[{"subnet": "10.78.$node.0/24"}], [{"subnet": "fd78:$node::/64"}]],
  "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]}}]}
END
  sed "s|RUN|$run|g; s|NODE|$node|g" "$here/containerd.toml" >"$run/containerd$node/config.toml"
  sed "s|NODE|$node|g" "$here/kubelet.yaml" >"$run/kubelet$node.yaml"
  # Two kubelets with one root would delete each other's cgroups.
  for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/*/; do
    [ -e "$hierarchy/cgroup.procs" ] && mkdir -p "$hierarchy/skn$node"
  done
}

kubeconfig() { # FILE TOKEN
  cat >"$1" <<END
{"apiVersion": "v1", "kind": "Config", "current-context": "cluster",
 "contexts": [{"name": "cluster", "context": {"cluster": "cluster", "user": "user"}}],
 "clusters": [{"name": "cluster", "cluster": {"server": "$api", "insecure-skip-tls-verify": true}}],
 "users": [{"name": "user", "user": {"token": "$2"}}]}
END
}

image() { # NAME FILE
  for node in 1 2; do
    local import=(ctr -a "$run/containerd$node/containerd.sock" -n k8s.io images import --index-name "$1" "$2")
    # containerd 1.6 says now and then that content which it is importing is not there.
    for _ in 1 2 3; do
      "${import[@]}" >/dev/null 2>&1 && continue 2
      sleep 1
    done
    "${import[@]}" >/dev/null || return 1
  done
}

pause() {
  [ -f "$lab/pause.tar" ] && return
  local container program
  program=$(command -v catatonit || echo /usr/libexec/podman/catatonit)
  container=$(buildah --storage-driver vfs from scratch) || return 1
  buildah --storage-driver vfs copy -q "$container" "$program" /pause >/dev/null
  buildah --storage-driver vfs config --entrypoint '["/pause", "-P"]' "$container"
  buildah --storage-driver vfs commit -q "$container" "oci-archive:$lab/pause.tar:localhost/pause:1" >/dev/null
  buildah --storage-driver vfs rm "$container" >/dev/null
}

control_plane() {
  start etcd 1 etcd --data-dir "$run/etcd" --listen-client-urls http://127.0.0.1:22379 \
    --advertise-client-urls http://127.0.0.1:22379 --listen-peer-urls http://127.0.0.1:22380 \
    --initial-advertise-peer-urls http://127.0.0.1:22380 --initial-cluster default=http://127.0.0.1:22380 \
    --unsafe-no-fsync
  start api 1 kube-apiserver --etcd-servers=http://127.0.0.1:22379 --bind-address=0.0.0.0 --secure-port=26443 \
    --advertise-address=10.77.0.1 --cert-dir="$run/certs" --service-cluster-ip-range=10.250.0.0/24 \
    --service-account-key-file="$run/sa.pub" --service-account-signing-key-file="$run/sa.key" \
    --service-account-issuer=https://kubernetes.default.svc --api-audiences=https://kubernetes.default.svc \
    --token-auth-file="$run/tokens.csv" --authorization-mode=Node,RBAC --allow-privileged=true \
    --enable-admission-plugins=NodeRestriction --kubelet-preferred-address-types=InternalIP
  for _ in $(seq 300); do
    local ready
    ready=$(in_node 1 curl -sk -H 'Authorization: Bearer admintoken' https://127.0.0.1:26443/readyz 2>/dev/null)
    [ "$ready" = ok ] && break
    sleep 0.1
  done
  local shared=(--kubeconfig="$KUBECONFIG" --leader-elect=false --bind-address=127.0.0.1 --port=0
    --cert-dir="$run/certs")
  start manager 1 kube-controller-manager "${shared[@]}" --secure-port=26257 --use-service-account-credentials \
    --service-account-private-key-file="$run/sa.key" --root-ca-file="$run/certs/apiserver.crt"
  start scheduler 1 kube-scheduler "${shared[@]}" --secure-port=26259
}

node() {
  local node=$1
  start kubelet$node $node kubelet --config="$run/kubelet$node.yaml" --kubeconfig="$run/kubeconfig$node" \
    --container-runtime=remote --container-runtime-endpoint="unix://$run/containerd$node/containerd.sock" \
    --root-dir="$run/kubelet$node" --hostname-override=node$node --node-ip=10.77.0.$node \
    --cert-dir="$run/kubelet$node/pki" --oom-score-adj=0
  start proxy$node $node kube-proxy --kubeconfig="$KUBECONFIG" --proxy-mode=iptables --cluster-cidr=10.78.0.0/16 \
    --hostname-override=node$node --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0s \
    --conntrack-tcp-timeout-close-wait=0s --oom-score-adj=0 --metrics-bind-address=127.0.0.1:26249 \
    --healthz-bind-address=127.0.0.1:26256
}

up() {
  if [ -d "$run" ]; then
    echo "$run exists: a cluster runs, or was not taken down (\`cargo xtask cluster down\`)" >&2
    exit 1
  fi
  mkdir -p "$run/certs"
  for name in $sysctls; do echo "$name=$(cat /proc/sys/$name)"; done >"$run/sysctl.before"
  pause || { echo "the pause image cannot be built" >&2; exit 1; }
  links
  openssl genrsa -out "$run/sa.key" 2048 2>/dev/null
  openssl rsa -in "$run/sa.key" -pubout -out "$run/sa.pub" 2>/dev/null
  {
    echo 'admintoken,admin,admin,"system:masters"'
    for node in 1 2; do echo "node${node}token,system:node:node$node,n$node,\"system:nodes\""; done
  } >"$run/tokens.csv"
  kubeconfig "$run/kubeconfig" admintoken
  for node in 1 2; do
    kubeconfig "$run/kubeconfig$node" node${node}token
    settings $node
    start containerd$node $node containerd -c "$run/containerd$node/config.toml"
  done
  control_plane
  for _ in $(seq 50); do
    [ -S "$run/containerd1/containerd.sock" ] && [ -S "$run/containerd2/containerd.sock" ] && break
    sleep 0.1
  done
  image localhost/pause:1 "$lab/pause.tar" || exit 1
  for node in 1 2; do node $node; done
  for _ in $(seq 300); do
    [ "$(in_node 1 kubectl get nodes 2>/dev/null | grep -c ' Ready')" = 2 ] && return
    sleep 0.2
  done
  echo "the nodes are not ready; logs are in $run" >&2
  exit 1
}

down() {
  [ -d "$run" ] || return
  stop kubelet1 kubelet2 proxy1 proxy2 manager scheduler
  for node in 1 2; do
    local client=(timeout 20 ctr -a "$run/containerd$node/containerd.sock" -n k8s.io)
    [ -S "$run/containerd$node/containerd.sock" ] || continue
    for task in $("${client[@]}" task ls -q 2>/dev/null); do "${client[@]}" task kill -s 9 "$task" 2>/dev/null; done
    for _ in $(seq 50); do "${client[@]}" task ls 2>/dev/null | grep -q RUNNING || break; sleep 0.1; done
    # A shim ends with its container.
    for task in $("${client[@]}" task ls -q 2>/dev/null); do "${client[@]}" task rm -f "$task" >/dev/null 2>&1; done
    for one in $("${client[@]}" container ls -q 2>/dev/null); do
      "${client[@]}" container rm "$one" >/dev/null 2>&1
    done
  done
  stop api etcd containerd1 containerd2
  # What is left of these two containerds: each shim names its socket.
  for shim in $(pgrep -f "containerd-shim-runc-v2 .*-address $run/containerd"); do
    # shellcheck disable=SC2046 # a list of processes
    kill -9 $(pgrep -P "$shim") "$shim" 2>/dev/null
  done
  for node in 1 2; do umount "$run/mount/skn$node" 2>/dev/null; done
  umount "$run/mount" 2>/dev/null
  # shellcheck disable=SC2086 # a list of folders
  rmdir $own 2>/dev/null
  find /sys/fs/cgroup -depth -type d \( -path '*/skn[12]*' -o -path '*/k8s.io*' \) -exec rmdir {} + 2>/dev/null
  for node in 1 2; do ip netns del skn$node 2>/dev/null; done
  while IFS='=' read -r name value; do
    [ "$(cat "/proc/sys/$name")" = "$value" ] || echo "$value" >"/proc/sys/$name"
  done <"$run/sysctl.before"
  # Mounts of pods that the kubelets left.
  awk -v run="$run/" 'index($2, run) == 1 {print $2}' /proc/mounts | sort -r | while read -r at; do
    umount "$at" 2>/dev/null
  done
  rm -rf --one-file-system "$run"
}

case $verb in
up | down) "$verb" ;;
image) image "$3" "$4" ;;
*) sed -n '2,3p' "$0"; exit 64 ;;
esac
