#!/bin/bash
# image.sh NAME BINARY OUT: an OCI archive with a program at /, and the libraries that it is linked to.
set -euo pipefail
name=$1 binary=$2 out=$3
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
strip -o "$root/$(basename "$binary")" "$binary"
for library in $(ldd "$binary" | grep -oE '/[^ ]+'); do
  mkdir -p "$root$(dirname "$library")"
  cp -n -L "$library" "$root$library"
done
mkdir -p "$root"/{run,tmp,var/lib}
container=$(buildah --storage-driver vfs from scratch)
buildah --storage-driver vfs copy -q "$container" "$root" / >/dev/null
buildah --storage-driver vfs config --entrypoint "[\"/$(basename "$binary")\"]" "$container"
rm -f "$out"
buildah --storage-driver vfs commit -q "$container" "oci-archive:$out:$name" >/dev/null
buildah --storage-driver vfs rm "$container" >/dev/null
