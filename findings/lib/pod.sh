# Sourced by findings that need a host and a pod, after bpf.sh: `with_pod SCRIPT [SETUP]` runs a Python script in a new
# network namespace that is connected to another one by a veth. The host's end is v0 (10.9.9.1), the pod's v1
# (10.9.9.2). The script's argument is a process in the pod. SETUP runs before it, as shell code; `$P COMMAND` in it
# runs in the pod.
with_pod() {
    unshare --net bash -euc '
        sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
        ip link set lo up
        unshare --net sleep 100 &
        pod=$!
        trap "kill $pod" EXIT
        until [[ $(readlink "/proc/$pod/ns/net") != "$(readlink /proc/self/ns/net)" ]]; do sleep 0.05; done
        P="nsenter --net=/proc/$pod/ns/net"
        ip link add v0 type veth peer name v1 netns "$pod"
        ip link set v0 up
        ip addr add 10.9.9.1/24 dev v0
        $P ip link set lo up
        $P ip link set v1 up
        $P ip addr add 10.9.9.2/24 dev v1
        eval "$2"
        timeout 60 python3 "$1" "$pod"
    ' bash "$1" "${2:-:}"
}
