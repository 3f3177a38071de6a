#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs on the lab host in the directory that holds it: the benchmarks on stock KVM, then on mini-KVM, in
# one boot. Prints "@@BENCH SIDE NAME VALUE" lines. usage: host.sh [BENCHMARK...] (none: all and the boot)
set -eu
cd "$(dirname "$0")"
marker=BENCH-GUEST-IS-UP

micro() {
	DEV=$2 ./exit_bench $3 | while read -r name value; do echo "@@BENCH $1 $name $value"; done
}

boot() {
	cp guest-root.img root-copy.img
	./boot_bench "$marker" "boot-$1.log" ./mkvm run --accel "$2" -m 512 -smp 1 -name bench \
		-kernel ./guest-vmlinuz -initrd ./guest-initrd -append 'console=ttyS0,115200 loglevel=5 cryptomgr.notests' \
		-drive file=./root-copy.img,format=raw,if=virtio -serial stdio -serial file:status \
		-nographic --no-reboot </dev/null >boot.out 2>boot.err || {
		cat boot.err >&2
		tail -n 20 "boot-$1.log" >&2
		return 1
	}
	while read -r name value; do echo "@@BENCH $1 $name $value"; done <boot.out
}

# An odd run on the side that loses a step must not hide the other's figures.
status=0
modprobe kvm-intel
micro stock /dev/kvm "$*" || status=1
[ $# -gt 0 ] || boot stock kvm || status=1
rmmod kvm-intel
rmmod kvm
insmod ./minikvm.ko
micro minikvm /dev/minikvm "$*" || status=1
[ $# -gt 0 ] || boot minikvm minikvm || status=1
rmmod minikvm
exit $status
