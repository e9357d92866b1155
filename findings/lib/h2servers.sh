# Sourced by findings about servers of HTTP/2: installs those of h2servers.py, checks their versions, and makes the
# folder $tmp, which is removed at the end.
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
chmod a+rx "$tmp"
for pair in haproxy:haproxy apache2:apache2-bin caddy:caddy lighttpd:lighttpd h2o:h2o nghttpx:nghttp2-proxy \
    node:nodejs; do
    command -v "${pair%:*}" >/dev/null || [[ -x /usr/sbin/${pair%:*} ]] ||
        apt-get -o DPkg::Lock::Timeout=300 install -y "${pair#*:}" >/dev/null
done
{
    /usr/sbin/haproxy -v | grep -o 'version 2\.6\.12'
    /usr/sbin/apache2 -v | grep -o 'Apache/2\.4\.71'
    echo "Caddy $(/usr/bin/caddy version)" | grep -F 'Caddy 2.6.2'
    /usr/sbin/lighttpd -v | grep -o 'lighttpd/1\.4\.69'
    h2o --version | grep -o 'version 2\.2\.5'
    nghttpx --version | grep -o 'nghttp2/1\.52\.0'
    node --version | grep '^v20\.'
} || { echo 'this finding is about other versions of these servers'; exit 2; }
PYTHONPATH=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH PYTHONDONTWRITEBYTECODE
