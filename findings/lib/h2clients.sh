# Sourced by findings that compare clients of HTTP/2: installs what grpc.sh and proxies.sh install, curl and nghttp, and
# checks versions. Both folders are removed at the end. Python finds h2clients.py.
. "$(dirname "${BASH_SOURCE[0]}")/grpc.sh"
. "$(dirname "${BASH_SOURCE[0]}")/proxies.sh"
trap 'rm -rf "$tmp" "$TMP_OF_FINDING"' EXIT
for pair in nghttp:nghttp2-client curl:curl; do
    command -v "${pair%:*}" >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y "${pair#*:}" >/dev/null
done
nghttp --version | grep -F 'nghttp2/1.52.0' || { echo 'this finding is about nghttp 1.52.0'; exit 2; }
curl --version | grep -o '^curl 7\.88\.1' || { echo 'this finding is about curl 7.88.1'; exit 2; }
node --version | grep '^v20\.' || { echo 'this finding is about Node 20'; exit 2; }
export NODE_PATH=$tmp/node_modules
