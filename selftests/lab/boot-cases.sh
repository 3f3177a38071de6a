#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# On the lab host or the machine: Debian's stock kernel boots under mkvm to its init, with one and
# two vCPUs; what it writes to /dev/vda survives; statuses and ends are told apart. Prints TAP.
# ACCEL: minikvm or kvm.
set -u
cd "$(dirname "$0")" || exit 1
accel=${ACCEL:-minikvm}
out=/tmp/boot-cases
mkdir -p $out
disk=$out/disk.img
n=0 bad=0

point() {
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $n - $2"; return; fi
	echo "not ok $n - $2"
	bad=1
	echo "# mkvm ended with status $code, guest-status: $(cat $out/status 2>/dev/null)"
	tail -n 25 $out/console | tr -d '\r' | sed 's/^/# /'
}

# guest NAME MKVM-OPTIONS... : boots the guest with the commands of stdin; sets code and told.
guest() {
	name=$1
	shift
	rm -rf $out/more $out/status
	mkdir -p $out/more
	cat >$out/more/run-cmd
	{ cat guest-initramfs; (cd $out/more && echo run-cmd | cpio -o -H newc 2>/dev/null); } >$out/initrd
	begin=$(cut -d' ' -f1 /proc/uptime)
	code=0
	timeout -s KILL 600 ./mkvm run --accel "$accel" -m 256 -kernel ./guest-vmlinuz -initrd $out/initrd \
		-append "console=ttyS0,115200 loglevel=5 cryptomgr.notests" \
		-drive "file=$disk,format=raw,if=virtio" -serial "file:$out/console" \
		-serial "file:$out/status" -nographic "$@" </dev/null >$out/mkvm.log 2>&1 || code=$?
	told=$(sed -n 's/^status \([0-9]*\).*/\1/p' $out/status 2>/dev/null | head -n 1)
	echo "# $name: $(echo "$begin $(cut -d' ' -f1 /proc/uptime)" | awk '{ print $2 - $1 }') s of the host's time"
	[ ! -s $out/mkvm.log ] || sed 's/^/# mkvm: /' $out/mkvm.log
	[ ! -d /lab/out ] || cp $out/console "/lab/out/console-$name"
}

cp guest-root.img $disk

guest one-vcpu -smp 1 <<'GUEST'
echo "release=$(uname -r) cpus=$(nproc) debian=$(cat /etc/debian_version)"
grep -q '^/dev/vda / ext4 rw' /proc/mounts && echo "root=vda"
dd if=/dev/urandom of=/root/data bs=64k count=32 2>/dev/null && sync
sha256sum /root/data >/root/data.sum
echo "sum=$(cut -c1-64 /root/data.sum)"
dd if=/dev/vda of=/dev/null bs=1M count=16 2>&1 | grep 16+0.records.out
exit 0
GUEST
[ "$code" -eq 0 ]; point $? "one vCPU: Debian boots, runs a command and powers off, mkvm ends with 0"
[ "$told" = 0 ]; point $? "one vCPU: the command's status comes back"
grep -q 'cpus=1 debian=' $out/console; point $? "one vCPU: one CPU, and it is Debian"
grep -q 'root=vda' $out/console; point $? "one vCPU: the root file system is on virtio-blk, writable"
grep -q '16+0 records out' $out/console; point $? "one vCPU: 16 MiB are read from /dev/vda"
sum=$(sed -n 's/.*sum=\([0-9a-f]*\).*/\1/p' $out/console | head -n 1)
[ ${#sum} -eq 64 ]; point $? "one vCPU: it wrote a file"
! grep -qE 'Call Trace|BUG:|Oops|stall' $out/console; point $? "one vCPU: the guest's kernel is content"

guest two-vcpus -smp 2 <<'GUEST'
echo "cpus=$(nproc)"
sha256sum -c /root/data.sum
echo "again=$(sha256sum </root/data | cut -c1-64)"
# Both CPUs at work, and memory mapped and unmapped by both.
for cpu in 0 1; do
	taskset $((cpu + 1)) sh -c 'i=0; while [ $i -lt 20 ]; do cat /proc/stat | wc -l >/dev/null; i=$((i + 1)); done' &
done
wait
awk '/^ *(RES|CAL|TLB|LOC):/ { print "irq " $1 " " $2 " " $3 }' /proc/interrupts
exit 7
GUEST
[ "$code" -eq 0 ]; point $? "two vCPUs: Debian boots and powers off"
[ "$told" = 7 ]; point $? "two vCPUs: status 7 comes back"
grep -q 'cpus=2' $out/console; point $? "two vCPUs: both CPUs are up"
grep -q "again=$sum" $out/console; point $? "two vCPUs: the file written before survived and matches"
grep -qE 'irq LOC: [1-9][0-9]* [1-9]' $out/console; point $? "two vCPUs: both have a timer"
grep -qE 'irq (RES|CAL): .*[1-9]' $out/console; point $? "two vCPUs: they interrupt each other"
! grep -qE 'Call Trace|BUG:|Oops|stall' $out/console; point $? "two vCPUs: the guest's kernel is content"

guest reset -smp 1 --no-reboot <<'GUEST'
reboot -f
GUEST
[ "$code" -eq 2 ]; point $? "a guest that resets ends mkvm with 2 under --no-reboot"
[ -z "$told" ]; point $? "and told no status"
echo "1..$n"
exit $bad
