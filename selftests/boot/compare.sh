#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# On the lab host or the machine: `mkvm compare`. Prints TAP. Beside this file lie mkvm, exit_bench,
# guest_bench and points.sh.
# usage: compare.sh swap MODULE    swaps stock KVM and the file MODULE, and measures a little on both;
#                                  tiny-poweroff
#        compare.sh guest          what needs a guest, on the stock KVM that is loaded; guest-vmlinuz
set -u
cd "$(dirname "$0")" || exit 1
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
export MKVM_RUNTIME_DIR="$dir/run" MKVM_LIBDIR="$PWD"
. ./points.sh

tell_failure() { sed 's/^/# /' "$dir/err" "$dir/out"; }

compare() { ./mkvm compare --qemu none "$@" >"$dir/out" 2>"$dir/err"; }
says() { grep -q "$1" "$dir/err"; }
# kvm alone is what kvm_intel needed; it goes with it, and does nothing.
modules() { grep -E '^(kvm_|minikvm)' /proc/modules | cut -d' ' -f1 | sort; }

# Does the table of r.json have a median above 0 in $2 columns of the row that begins with $1?
row() {
	./mkvm compare --from "$dir/r.json" | grep "^$1  " | sed "s|^$1 *||; s, */ *[0-9]*,,g" |
		awk -v want="$2" '{ for (i = 1; i <= want; i++) if ($i + 0 <= 0) exit 1; found = 1 } END { exit !found }'
}

swap() {
	module=$1
	modules >"$dir/before"
	compare --module "$module" --bench cpuid,pio_write,many --vms 2 --json "$dir/r.json" --html "$dir/r.html"
	point $? "a few figures of stock KVM and mini-KVM"
	# The third is the ratio.
	row "CPUID exit" 3 && row "OUT to userspace and back" 3 && row "until it runs, all started at once" 3 &&
		row "kernel memory" 3
	point $? "each is there for both, with its ratio"
	grep -q '</html>' "$dir/r.html" && grep -q '<svg' "$dir/r.html"
	point $? "and there is a page with plots"
	modules | cmp -s - "$dir/before"
	point $? "the modules are loaded that were before"
	compare --module "$module" --bench reasons --kernel ./tiny-poweroff --initrd ./tiny-poweroff --marker on \
		--json "$dir/r.json" && row "I/O instruction" 3
	point $? "exits of a tiny guest are counted by reason on both"
	! compare --module ./none.ko --bench cpuid --json "$dir/r.json" && says 'none.ko: No such file' &&
		grep -q 'mini-KVM could not be loaded' "$dir/r.json" && row "CPUID exit" 1
	point $? "a module that is missing is told, and the other's figures are there"
	modprobe kvm-intel
	sleep 100 3<>/dev/kvm &
	holder=$!
	while [ ! -e /proc/$holder/fd/3 ]; do sleep 0.1; done
	! compare --module "$module" --bench cpuid && says "kvm_intel is in use by .*(pid $holder)"
	point $? "a module that is in use is told, and by whom"
	kill $holder
	wait $holder 2>/dev/null
	rmmod kvm_intel kvm 2>/dev/null
	mkdir "$dir/cgroup" && mount -t cgroup2 none "$dir/cgroup"
	modules | cmp -s - "$dir/before" && [ -z "$(ls -d "$dir"/cgroup/mkvm-* 2>/dev/null)" ]
	point $? "nothing stays behind"
	umount "$dir/cgroup"
}

guest() {
	stock=$(grep -oE '^kvm_(intel|amd)' /proc/modules)
	compare --only kvm --stock-module "$stock" --kernel ./guest-vmlinuz --bench boot,blk,net,reasons \
		--json "$dir/r.json"
	point $? "a guest is booted, and measures its disk and network"
	for title in "start of the VMM to the guest's init" "exits" "the VMM with its guest's memory" \
		"virtio-blk, read 64 KiB" "virtio-blk, write 4 KiB and flush" "virtio-net, 1500 bytes and back"; do
		row "$title" 1
		point $? "there is a figure: $title"
	done
	grep -A3 '"Exits by reason' "$dir/r.json" | grep -q '"svm_123"\|"reason_30"'
	point $? "port I/O is among the exits that were counted by reason"
	[ -z "$(ls -d /sys/kernel/tracing/instances/mkvm-compare* 2>/dev/null)" ] &&
		[ -z "$(ls -d /tmp/mkvm-compare.* 2>/dev/null)" ]
	point $? "no trace instance and no file stays behind"
}

"$@"
end_points
