# Sourced by the findings about grpcio and @grpc/grpc-js: installs both, and h2 to speak to them frame by frame, in the
# folder $tmp, which is removed at the end.
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    apt-get -o DPkg::Lock::Timeout=300 install -y nodejs npm >/dev/null
fi
npm install --silent --no-audit --no-fund --no-save --prefix "$tmp" @grpc/grpc-js@1.14.7 >/dev/null
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet grpcio==1.85.1 h2==4.4.1
