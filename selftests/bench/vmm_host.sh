#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# On the lab host, for vmm.sh: the guest with its disks and a tap under one VMM, mkvm or QEMU.
# Prints "@@VMM ROUND SIDE NAME VALUE" lines. Beside it lie mkvm, vmm.env and the guest.
set -eu
cd "$(dirname "$0")"
. ./vmm.env
status=0
tracing=/sys/kernel/tracing

# No polling when a guest halts: a loop around PAUSE, which ends the emulator's turn each time, so the 200 us
# of a clock that counts instructions are tens of thousands of turns.
echo 0 >/sys/module/kvm/parameters/halt_poll_ns

# A disk that takes no time of its own, and on it a file whose blocks are allocated and written.
modprobe -a tun bridge ext4
modprobe null_blk nr_devices=1 gb=1 bs=512 memory_backed=1 irqmode=1 submit_queues=1
mkdir -p /data
/usr/bin/mke2fs -q -t ext4 /dev/nullb0 64M
mount -t ext4 /dev/nullb0 /data
dd if=/dev/zero of=/data/data.img bs=1M count=32 2>/dev/null
sync
# A cache=none write of a page that the host still has cached is handed to a worker thread of the host's
# io_uring, once for each page: whoever came first would pay for both.
echo 1 >/proc/sys/vm/drop_caches
brctl addbr br0
ip addr add 10.9.0.254/24 dev br0
ip link set br0 up
tunctl -t tap0 >/dev/null
brctl addif br0 tap0
ip link set tap0 up
iperf3 -s >/dev/null 2>&1 &
server=$!

drive() { echo "-drive file=$1,format=raw,if=none,id=$2,cache=$3,aio=io_uring -device virtio-blk-pci,drive=$2"; }

# vmm OPTION... : the VMM of this side
vmm() {
	case "$side" in
	mkvm) set -- ./mkvm run --accel kvm -nographic "$@" --no-reboot ;;
	qemu) set -- /usr/bin/qemu-system-x86_64 -enable-kvm -cpu host -M pc -vga none -monitor none -nographic "$@" -no-reboot ;;
	esac
	exec timeout -s KILL "$patience" "$@" </dev/null
}

# run LOG : boots the guest, which does the work
run() {
	: >"$1.status"
	machine="-m 256 -smp 1 -kernel ./guest-vmlinuz -initrd ./guest-initrd
		$(drive guest-root.img root writeback),serial=root $(drive tools.img tools writeback) $(drive /data/data.img data "$cache")
		-netdev tap,id=n0,ifname=tap0,script=no,downscript=no -device virtio-net-pci,netdev=n0,mac=52:54:00:00:09:01
		-serial file:$1 -serial file:$1.status"
	[ "$side" = mkvm ] || machine="$machine -global virtio-net-pci.romfile="
	patience=300
	(vmm $machine -append "console=ttyS0,115200 loglevel=4 cryptomgr.notests mitigations=off")
}

# start LOG : how often a second a VMM could get from exec to the first entry of a guest's CPU, one after the other
start() {
	for event in sched/sched_process_exec kvm/kvm_entry; do echo 1 >$tracing/events/$event/enable; done
	patience=1
	(vmm -m 128 -nodefaults -serial none -kernel ./guest-vmlinuz) >"$1.start" 2>&1 || true
	for event in sched/sched_process_exec kvm/kvm_entry; do echo 0 >$tracing/events/$event/enable; done
	# What it executed first; timeout was executed before it.
	awk '{ for (i = 1; i < NF; i++) if ($(i + 1) ~ /^(sched_process_exec|kvm_entry):$/) at = $i + 0 }
		/sched_process_exec: filename=[^ ]*(mkvm|qemu-system-x86_64) / { begun = at }
		/kvm_entry: / && begun { printf "@@VMM %s %s start %d\n", round, side, 1 / (at - begun); exit }
	' round="$round" side="$side" $tracing/trace
}

# count_end LOG : what the VMM asked the host's kernel for, and why the guest was left, by thread
events=$tracing/events
count_begin() {
	echo 'hist:keys=common_pid.execname,id.syscall:sort=hitcount.descending' >$events/raw_syscalls/sys_enter/trigger
	echo 'hist:keys=exit_reason:sort=hitcount.descending' >$events/kvm/kvm_exit/trigger
	echo 'hist:keys=opcode:sort=hitcount.descending' >$events/io_uring/io_uring_queue_async_work/trigger
	echo 'hist:keys=next_comm:sort=hitcount.descending' >$events/sched/sched_switch/trigger
}
count_end() {
	for event in raw_syscalls/sys_enter kvm/kvm_exit io_uring/io_uring_queue_async_work sched/sched_switch; do
		cat $events/$event/hist >>"$1.counts"
		sed 's/^/!/' $events/$event/trigger | grep '^!hist' >$events/$event/trigger || true
	done
}

log=/lab/out/$side
case " $tests " in *" start "*) start "$log" ;; esac
if [ "$tests" != start ]; then
	[ -z "$count" ] || count_begin
	run "$log" >"$log.out" 2>&1 || { status=1; cat "$log.out"; }
	[ -z "$count" ] || count_end "$log"
	grep -q '^status 0' "$log.status" || { status=1; tail -n 20 "$log"; }
	tr -d '\r' <"$log" | sed -n "s/^@@FIGURE /@@VMM $round $side /p"
fi
kill $server
exit $status
