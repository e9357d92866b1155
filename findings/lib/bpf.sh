# Sourced by the findings about the kernel: checks for root, installs what they need, and makes the folder $tmp, which is
# removed at the end. Python finds bpf.py.
[[ $(id -u) == 0 ]] || { echo 'needs root'; exit 2; }
for tool in ip tc unshare; do
    command -v "$tool" >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y iproute2 util-linux >/dev/null
done
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
PYTHONPATH=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH PYTHONDONTWRITEBYTECODE
