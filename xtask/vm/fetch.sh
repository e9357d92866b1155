#!/bin/bash
# fetch.sh SUITE OUT: the newest cloud kernel of a Debian suite, downloaded and unpacked into OUT without installing it.
# apt works in directories of its own: nothing of this system changes. Prints the release (uname -r) of the kernel.
set -euo pipefail
suite=$1
out=$(realpath -m "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The mirrors that this system uses.
mirror() { # WORD-IN-URI
  awk -v word="$1" '/^URIs:/ && $2 ~ word {print $2; exit} $1 == "deb" && $2 ~ word {print $2; exit}' \
    /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null || true
}
main=$(mirror '/debian/?$')
security=$(mirror 'debian-security')
mkdir -p "$work"/{lists/partial,cache/archives/partial,parts,deb} "$out"
touch "$work/status"
signed='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'
echo "deb $signed ${main:-http://deb.debian.org/debian} $suite main" > "$work/sources.list"
case $suite in
  *-backports) ;;
  *) echo "deb $signed ${security:-http://deb.debian.org/debian-security} $suite-security main" >> "$work/sources.list" ;;
esac
apt=(-o "Dir::Etc::SourceList=$work/sources.list" -o "Dir::Etc::SourceParts=$work/parts" -o "Dir::State=$work"
  -o "Dir::State::Lists=$work/lists" -o "Dir::State::status=$work/status" -o "Dir::Cache=$work/cache"
  -o APT::Sandbox::User=root -o Acquire::Languages=none)
apt-get "${apt[@]}" -qq update
# The meta package names the kernel; from 6.x on its parts are packages of their own.
image=$(apt-cache "${apt[@]}" depends linux-image-cloud-amd64 | awk '/Depends: linux-image-[0-9]/ {print $2}' | sort -V | tail -1)
parts=$(apt-cache "${apt[@]}" depends "$image" | awk '/Depends: linux-(binary|modules|base)-[0-9]/ {print $2}' | sort -u)
cd "$work/deb"
# shellcheck disable=SC2086 # a list of packages
apt-get "${apt[@]}" -qq download "$image" $parts
for package in *.deb; do dpkg-deb -x "$package" "$out"; done
echo "${image#linux-image-}"
