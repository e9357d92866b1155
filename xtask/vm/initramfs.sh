#!/bin/bash
# initramfs.sh OUT UNPACKED RELEASE INIT TEST: a small root file system: busybox, bash, ip, the modules that TC needs, the test.
set -euo pipefail
out=$1 unpacked=$2 release=$3 init=$4 test=$5
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{bin,sbin,proc,sys,dev,run,tmp,etc,usr/bin,usr/sbin,modules}
cp /bin/busybox "$root/bin/"
for program in bash ip; do
  path=$(PATH=$PATH:/usr/sbin:/sbin command -v $program)
  cp "$(readlink -f "$path")" "$root/bin/$program"
  for library in $(ldd "$path" | grep -oE '/[^ ]+'); do
    mkdir -p "$root$(dirname "$library")"
    cp -n -L "$library" "$root$library"
  done
done
cp "$test" "$root/bin/kernel-test"
cp "$init" "$root/main"
modules=$(find "$unpacked" -type d -path "*lib/modules/$release" | head -1)
base=${modules%/lib/modules/*}
PATH=$PATH:/usr/sbin:/sbin
depmod -b "$base" "$release"
for module in veth sch_ingress cls_bpf; do
  modprobe -d "$base" -S "$release" --show-depends $module 2>/dev/null | awk '$1 == "insmod" {print $2}' | while read -r file; do
    name=$(basename "$file")
    name=${name%.xz}
    name=${name%.zst}
    [ -e "$root/modules/$name" ] && continue
    case $file in
      *.xz) xz -dc "$file" > "$root/modules/$name" ;;
      *.zst) zstd -qdc "$file" > "$root/modules/$name" ;;
      *) cp "$file" "$root/modules/$name" ;;
    esac
    echo "$name" >> "$root/modules/order"
  done
done
touch "$root/modules/order"
printf '#!/bin/busybox sh\n/bin/busybox --install -s /usr/bin\nexport PATH=/bin:/sbin:/usr/bin:/usr/sbin\nexec /bin/bash /main\n' > "$root/init"
chmod +x "$root/init" "$root/main"
(cd "$root" && find . | cpio --quiet -o -H newc | gzip -1) > "$out"
