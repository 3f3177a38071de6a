# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# In the guest of `make bench-vmm`: loads the disk /dev/vdc with fio and the network with iperf3.
# The programs and their libraries are on /dev/vdb. Prints "@@FIGURE NAME VALUE" lines.
# The environment comes in /run/run-vmm: ios, transfers and megabytes say how much to do, tests what.
. /run/run-vmm
tools=/mnt
mount -t ext4 -o ro,noload /dev/vdb $tools || exit 1
for dir in dev proc sys tmp; do mount --bind /$dir $tools/$dir || exit 1; done
in_tools() { chroot $tools "$@"; }
wanted() { case " $tests " in *" $1 "*) ;; *) return 1 ;; esac; }
jobs='' bad=0

# disk NAME RW BLOCK DEPTH HOW-MANY : one job more for fio, which runs them one after the other
disk() {
	! wanted "$1" || jobs="$jobs --name=$1 --stonewall --rw=$2 --bs=$3 --iodepth=$4 --number_ios=$5"
}

# Operations a second: fields 8 and 49 of version 3 for what was read and written, 3 is the job.
run_disks() {
	[ -n "$jobs" ] || return
	# shellcheck disable=SC2086
	in_tools /usr/bin/fio --filename=/dev/vdc --ioengine=libaio --direct=1 --thread --norandommap --randseed=1 \
		--output-format=terse --terse-version=3 $jobs >/tmp/fio.out 2>/tmp/fio.err </dev/null || bad=1
	awk -F';' '$1 == 3 { printf "@@FIGURE %s %d\n", $3, $8 + $49 }' /tmp/fio.out
	[ $bad -eq 0 ] || cat /tmp/fio.out /tmp/fio.err
}

# net NAME OPTION... : bits a second that arrived
net() {
	wanted "$1" || return
	name=$1
	shift
	in_tools /usr/bin/iperf3 -c 10.9.0.254 -n "${megabytes}M" -f k "$@" >/tmp/iperf.out 2>&1 </dev/null || bad=1
	awk -v name="$name" '$NF == "receiver" {
		for (i = 2; i < NF; i++) if ($i == "Kbits/sec") print "@@FIGURE " name " " $(i - 1) "000"
	}' /tmp/iperf.out
	[ $bad -eq 0 ] || cat /tmp/iperf.out
}

echo "@@CLOCK $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
echo none >/sys/block/vdc/queue/scheduler
disk randread-1 randread 4k 1 "$ios"
disk randwrite-1 randwrite 4k 1 "$ios"
disk randread-32 randread 4k 32 "$((ios * 2))"
disk randwrite-32 randwrite 4k 32 "$((ios * 2))"
disk read-1m read 1m 4 "$transfers"
disk write-1m write 1m 4 "$transfers"
run_disks
ip link set eth0 up && ip addr add 10.9.0.1/24 dev eth0 || bad=1
net send
net receive -R
exit $bad
