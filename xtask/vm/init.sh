#!/bin/bash
# The guest's only process: mounts, modules, the kernel tests, power off.
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
while read -r module; do insmod "/modules/$module"; done < /modules/order
# Before Linux 5.11 maps count against it.
ulimit -l unlimited
ip link set lo up
echo "guest: $(uname -r)"
kernel-test --test-threads=1 --nocapture 2>&1
echo "guest: done"
poweroff -f
