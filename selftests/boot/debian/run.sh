#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Boots the Debian image (made with inside.sh) under mkvm on the lab host, with a user network,
# and prints TAP. Beside it lie mkvm, debian.qcow2, guest-vmlinuz and guest-initramfs.
# usage: [ACCEL=kvm] run.sh
set -u
cd "$(dirname "$0")" || exit 1
accel=${ACCEL:-minikvm}
work=$(mktemp -d) || exit 1
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$work"' EXIT
n=0 bad=0

point() {
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi
}
console=$work/console report=$work/report
told() { tr -d '\r' <"$report" | sed -n "s/^$1 *//p" | head -n 1; }
is() { [ "$1" = "$2" ]; }

ip link set lo up 2>/dev/null || ifconfig lo up
mkdir "$work/www"
dd if=/dev/urandom of="$work/www/file" bs=64k count=16 2>/dev/null
fetched=$(sha256sum <"$work/www/file" | cut -c1-64)
httpd -f -p 127.0.0.1:8000 -h "$work/www" &

timeout -s KILL 900 ./mkvm run --accel "$accel" -m 384 -name debian -kernel ./guest-vmlinuz \
	-initrd ./guest-initramfs -append 'console=ttyS0,115200 loglevel=5 cryptomgr.notests root=/dev/vda' \
	-hda debian.qcow2 -nic user,model=virtio,hostfwd=tcp:127.0.0.1:2222-:8080 \
	-serial "file:$console" -serial "file:$report" -nographic </dev/null >"$work/mkvm.log" 2>&1 &
vm=$!
while kill -0 $vm 2>/dev/null && ! grep -q listening "$report" 2>/dev/null; do sleep 1; done
sleep 1
got=$(timeout 60 wget -q -O - http://127.0.0.1:2222/offered | sha256sum | cut -c1-64)
wait $vm
code=$?

is $code 0; point $? "mkvm ends with 0 when systemd powers off (status $code)"
is "$(told pid1)" systemd; point $? "systemd is process 1"
told root | grep -q '/dev/vda *ext4'; point $? "its root is the qcow2 disk: $(told root)"
is "$(told address)" 10.0.2.15/24; point $? "DHCP of the user network gives an address: $(told address)"
is "$(told fetched)" "$fetched"; point $? "a file fetched from a server on the host is the same"
offered=$(told offered)
is "$got" "${offered:-none}"; point $? "a file fetched through a port forward is the same"
grep -q 'debian login:' "$console"; point $? "there is a login prompt on the serial console"
grep -q '^done' "$report" && is "$(told failed)" ""; point $? "no unit failed: $(told failed)"
[ ! -d /lab/out ] || cp "$console" "$report" "$work/mkvm.log" /lab/out/
[ $bad -eq 0 ] || { sed 's/^/# /' "$work/mkvm.log" "$report"; tail -n 40 "$console" | tr -d '\r' | sed 's/^/# /'; }
echo "1..$n"
exit $bad
