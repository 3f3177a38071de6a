#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# On the lab host or the machine: how mkvm ends, restarts, is stopped, and what it gives up, with
# tiny kernels (selftests/boot/tiny) that do one thing each. Prints TAP.
# ACCEL: minikvm or kvm. The kernels and mkvm are in this folder.
set -u
cd "$(dirname "$0")" || exit 1
accel=${ACCEL:-minikvm}
out=/tmp/mkvm-cases
rm -rf $out
mkdir -p $out
. ./points.sh

tell_failure() {
	echo "# mkvm's status: ${code:-none}"
	head -c 2000 $out/stdout | tr -d '\r' | sed 's/^/# stdout: /'
	head -n 20 $out/stderr | sed 's/^/# stderr: /'
}

# run KERNEL OPTION... : sets code
run() {
	kernel=$1
	shift
	code=0
	timeout -s KILL 120 ./mkvm run -accel "$accel" -kernel "./tiny-$kernel" -m 64 "$@" \
		</dev/null >$out/stdout 2>$out/stderr || code=$?
}

patience=300 # tenths of a second
# start KERNEL OPTION... : in the background; sets pid, and waits for its first output
start() {
	kernel=$1
	shift
	: >$out/stdout
	./mkvm run -accel "$accel" -kernel "./tiny-$kernel" -m 64 "$@" \
		</dev/null >$out/stdout 2>$out/stderr &
	pid=$!
	i=0
	while [ ! -s $out/stdout ] && [ $i -lt $patience ] && kill -0 $pid 2>/dev/null; do
		sleep 0.1
		i=$((i + 1))
	done
}

# finish: waits for it, at most a minute; sets code
finish() {
	(sleep 60; kill -KILL $pid) 2>/dev/null &
	guard=$!
	code=0
	wait $pid || code=$?
	kill $guard 2>/dev/null
}

said() { [ "$(cat $out/stdout)" = "$1" ]; }
is() { [ "$code" -eq "$1" ]; }

run poweroff
is 0 && said on && [ ! -s $out/stderr ]; point $? "power-off through ACPI: status 0, no message"
run poweroff -smp 4 -m 4096
is 0 && said on; point $? "with 4 CPUs and 4 GiB"
run reset --no-reboot
is 2 && [ ! -s $out/stderr ]; point $? "reset under --no-reboot: status 2"
run elf_pvh -append "by PVH"
is 0 && said "by PVH"; point $? "an ELF kernel is entered at its PVH entry point"
run elf_linux -append "as vmlinux" -smp 2
is 0 && said "as vmlinux"; point $? "one without is entered as Linux"
huge=/proc/sys/vm/nr_hugepages
before=$(cat $huge)
mkdir $out/huge
if mount -t hugetlbfs none $out/huge 2>/dev/null && echo $((before + 40)) >$huge &&
   [ "$(cat $huge)" -eq $((before + 40)) ]; then
	run elf_pvh -append huge -mem-path $out/huge -mem-prealloc -overcommit mem-lock=on
	is 0 && said huge && [ -z "$(ls $out/huge)" ]; point $? "with memory of huge pages"
	run elf_pvh -m 65536 -mem-path $out/huge
	is 1 && grep -q 'cannot get 65536 MiB' $out/stderr; point $? "of which there must be enough"
else
	n=$((n + 1))
	echo "ok $n - with memory of huge pages # SKIP this host has too few"
	n=$((n + 1))
	echo "ok $n - of which there must be enough # SKIP this host has too few"
fi
echo "$before" >$huge
umount $out/huge 2>/dev/null
run restart
is 0 && said f1f2f3; point $? "a reset guest starts anew, twice, from a fresh image"
run restart -smp 3
is 0 && said f1f2f3; point $? "with 3 CPUs"
run triple_fault
is 3 && grep -q 'triple fault' $out/stderr; point $? "triple fault: status 3 and a message"
run fetch_mmio
is 4; point $? "a vCPU that cannot go on: status 4"
grep -q 'internal error.*suberror' $out/stderr && grep -q 'rip 00000000d0000000' $out/stderr &&
	grep -q 'cr3 0000000000009000' $out/stderr
point $? "and a report with suberror and registers"

for sig in TERM:143 INT:130 HUP:129 QUIT:131; do
	start spin
	kill -"${sig%:*}" $pid
	finish
	is "${sig#*:}" && said r; point $? "SIG${sig%:*}: status ${sig#*:}"
done

mkfifo $out/fifo
exec 3<>$out/fifo
./mkvm run -accel "$accel" -kernel ./tiny-flood -m 64 </dev/null >$out/fifo 2>$out/stderr &
pid=$!
sleep 3
kill -TERM $pid
finish
exec 3>&-
is 143; point $? "it can be stopped while nobody reads its output"

# A console that nobody reads, and one that somebody does.
ip link set lo up 2>/dev/null
patience=30
start flood -serial tcp:127.0.0.1:7070,server=on,wait=off
# A client that has nothing more to say has left.
[ "$(sleep 5 | nc 127.0.0.1 7070 | head -c 5)" = xxxxx ] && kill -0 $pid
point $? "a console on a socket shows what is said"
kill -TERM $pid
finish
is 143; point $? "and keeps nobody from ending"
start flood -serial pty
[ "$(head -c 5 "$(sed -n 's/.*redirected to //p' $out/stderr)")" = xxxxx ] && kill -0 $pid
point $? "so does one on a pseudo terminal"
kill -TERM $pid
finish
is 143; point $? "and keeps nobody from ending"
patience=300

# Private pages besides guest memory, which is the largest mapping: what a machine costs.
start spin -m 128 -nodefaults -serial stdio
own=$(awk '/^[0-9a-f]+-[0-9a-f]+ / { if (size < 131072) sum += private; private = 0 }
	/^Size:/ { size = $2 } /^Private_/ { private += $2 }
	END { if (size < 131072) sum += private; print sum }' /proc/$pid/smaps)
echo "# mkvm's own memory: $own KiB"
[ "$own" -gt 100 ] && [ "$own" -le 5120 ]; point $? "a machine of one CPU costs at most 5 MiB"
kill -TERM $pid
finish

dd if=/dev/zero of=$out/disk bs=64k count=16 2>/dev/null
start spin -smp 2 -drive "file=$out/disk,format=raw,if=virtio" -pidfile $out/pid -serial stdio \
	-serial "file:$out/com2"
[ "$(cat $out/pid)" = $pid ]; point $? "the pid file names it"
threads=0 privileged=0
for task in "/proc/$pid/task"/*; do
	threads=$((threads + 1))
	grep -q '^CapPrm:	0*$' "$task/status" && grep -q '^CapEff:	0*$' "$task/status" &&
		grep -q '^CapBnd:	0*$' "$task/status" && grep -q '^NoNewPrivs:	1' "$task/status" &&
		grep -q '^Seccomp:	2' "$task/status" ||
		privileged=$((privileged + 1))
done
[ $threads -ge 4 ] && [ $privileged -eq 0 ]; point $? "none of its $threads threads has a capability, all have a filter"
code=0
./mkvm run -accel "$accel" -kernel ./tiny-poweroff -m 64 -hda $out/disk </dev/null \
	>$out/stdout2 2>$out/stderr2 || code=$?
is 1 && [ ! -s $out/stdout2 ] && grep -q "disk $out/disk: in use by another writer" $out/stderr2
point $? "a second guest with its disk is refused"
kill -STOP $pid
kill -CONT $pid
kill -TERM $pid
finish
is 143 && [ ! -e $out/pid ] && [ -e $out/com2 ]; point $? "it ends after a stop and a continue, its pid file goes"
run poweroff -hda $out/disk
is 0; point $? "and the disk is free again"

run hostile -drive "file=$out/disk,format=raw,if=virtio" -serial stdio -serial null
is 0 && [ "$(tail -c 1 $out/stdout)" = E ]
point $? "30000 random accesses to ports, PCI and virtio registers do no harm"
run hostile -serial "file:$out/serial" -serial stdio -hda $out/disk -smp 2
is 0 && [ "$(tail -c 1 $out/serial)" = E ]; point $? "with the console in a file, too"
# A hostile driver stalls only itself: its device serves an honest driver afterwards, and so does the
# disk of a machine beside it all the while.
dd if=/dev/zero of=$out/disk2 bs=64k count=16 2>/dev/null
: >$out/steady
(while [ ! -e $out/stop ]; do
	timeout -s KILL 120 ./mkvm run -accel "$accel" -kernel ./tiny-driver -append steady -m 64 \
		-drive "file=$out/disk2,format=raw,if=virtio" </dev/null >>$out/steady 2>>$out/steady.err
	echo " $?" >>$out/steady
done) &
beside=$!
for attack in wild loops move resets; do
	run driver -append $attack -drive "file=$out/disk,format=raw,if=virtio"
	is 0 && said aE; point $? "a hostile driver ($attack): the disk and mkvm survive it"
	run driver -append $attack -netdev "stream,id=n,server=on,addr.type=unix,addr.path=$out/net" \
		-device virtio-net-pci,netdev=n
	is 0 && said aE; point $? "the same to a network"
done
: >$out/stop
wait $beside
cp $out/steady $out/stdout
[ -s $out/steady ] && ! grep -qv '^sE 0$' $out/steady && [ ! -s $out/steady.err ]
point $? "and a machine beside it went on, $(wc -l <$out/steady) times"

end_points
