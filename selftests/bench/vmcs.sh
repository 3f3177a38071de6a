#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# `make bench-vmcs`: how often stock KVM and mini-KVM read and write the VMCS and MSRs in one operation of each
# kind of exit_bench, with all exits the operation takes. Bochs' debugger lists every instruction of the last
# three, warm, in the guest, the kernel and userspace; those of the shortest are counted, as the host's own timer
# may interrupt another. A guest that waits for its timer is counted, too.
# Writes .lab/vmcs.txt as well.
# usage: vmcs.sh [NAME...]      operations of exit_bench
# Exit status: 1 when mini-KVM needs more of something than stock KVM.
set -eu -o pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
lab=$top/selftests/lab
state=${LAB_DIR:-$top/.lab}
export LAB_DIR=$state
names=("$@")
[ ${#names[@]} -gt 0 ] || names=(cpuid hypercall pio_write pio_read mmio_write mmio_read touch_4k touch_2m ipi
	ioeventfd_pio ioeventfd_mmio irqfd self_ipi_x2apic tsc_deadline dirty)

. "$lab/lane.sh"
kver=$(stock_kernel)
module=$("$lab/build-module" "$kver")
make -s -C "$top/selftests" bench
mkdir -p "$state"
work=$(mktemp -d "$state/work.XXXXXX")
trap 'rm -rf "$work"' EXIT

# usage: count SIDE MODULE DEVICE: lines "SIDE NAME INSTRUCTIONS VMREAD VMWRITE RDMSR WRMSR"
count() {
	local status=0
	"$lab/lab" --lane vmx --kver "$kver" --module "$2" --file "$top/selftests/out/bench/exit_bench:/lab/exit_bench" \
		--trace $((3 * ${#names[@]})) --timeout 900 --out "$work/$1" -- \
		"DEV=$3 ./exit_bench --marks ${names[*]} | cut -d ' ' -f 1" >"$work/$1.names" || status=$?
	[ $status -eq 0 ] || { cat "$work/$1.names" >&2; return $status; }
	awk -v side="$1" -v names="$work/$1.names" '
		/Magic breakpoint/ {
			if (++marks % 2) { split("", n); next }
			line = sprintf("%d %d %d %d %d", n["all"], n["vmread"], n["vmwrite"], n["rdmsr"], n["wrmsr"])
			if (marks % 6 == 2 || line + 0 < least + 0) least = line
			if (marks % 6) next
			if ((getline name <names) <= 0) name = "?"
			print side, name, least
		}
		marks % 2 && /^\([0-9]+\)\.\[[0-9]+\] .* ; [0-9a-f]+$/ {
			n["all"]++
			sub(/^.*ctxt\): /, "")
			n[$1]++
		}' "$work/$1/trace.log" >>"$work/counts"
}

count stock kvm-intel /dev/kvm
count minikvm "$module" /dev/minikvm
awk -v wanted="${#names[@]}" '
	BEGIN { printf "%-18s %21s  %10s  %10s  %10s  %10s\n", "mini-KVM / stock", "instructions", "VMREAD", "VMWRITE", "RDMSR", "WRMSR" }
	$1 == "stock" { for (i = 3; i <= 7; i++) stock[$2, i] = $i; next }
	!(($2, 3) in stock) { next }
	{
		both++
		line = sprintf("%-18s %12d / %6d", $2, $3, stock[$2, 3])
		for (i = 4; i <= 7; i++) {
			line = line sprintf("  %3d / %2d%2s", $i, stock[$2, i], $i > stock[$2, i] ? " !" : "")
			# What is read is no target.
			more += i != 6 && $i > stock[$2, i]
		}
		print line
	}
	END {
		if (both != wanted) { print "bench-vmcs: " wanted - both " operations were not counted"; exit 1 }
		exit more > 0
	}' "$work/counts" | tee "$state/vmcs.txt"
