#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# `make bench`: stock KVM and mini-KVM measured by the same programs in one boot of the lab host (a second
# one, with two CPUs, for IPIs between CPUs). Prints a table and writes bench.json beside the lab's runs.
# usage: run.sh [--json FILE]
set -eu -o pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
lab=$top/selftests/lab
state=${LAB_DIR:-$top/.lab}
export LAB_DIR=$state
json=$state/bench.json
while [ $# -gt 0 ]; do
	case "$1" in
	--json) [ $# -ge 2 ] || { echo "bench: --json needs a file" >&2; exit 1; }; json=$2; shift 2 ;;
	*) echo "bench: unknown option '$1' (only --json FILE)" >&2; exit 1 ;;
	esac
done

. "$lab/lane.sh"
kver=$(stock_kernel)
module=$("$lab/build-module" "$kver")
make -s -C "$top/userspace"
make -s -C "$top/selftests" bench
{ read -r initramfs; read -r root; } < <("$lab/guest-image" "$kver")

mkdir -p "$state"
work=$(mktemp -d "$state/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
dir=$work/bench
mkdir "$dir" "$work/more"
cp "$here/host.sh" "$top/selftests/out/bench/exit_bench" "$top/selftests/out/bench/boot_bench" \
	"$top/userspace/mkvm" "$module" "$dir/"
cp --sparse=always "$root" "$dir/guest-root.img"
cp "/boot/vmlinuz-$kver" "$dir/guest-vmlinuz"
echo 'echo BENCH-GUEST-IS-UP' >"$work/more/run-cmd"
{ cat "$initramfs"; (cd "$work/more" && find . -type f | cpio --quiet -R 0:0 -o -H newc); } >"$dir/guest-initrd"

# usage: measure CPUS LOG [BENCHMARK...]
measure() {
	local cpus=$1 log=$2 status=0
	shift 2
	"$lab/lab" --lane vmx --kver "$kver" --cpus "$cpus" --mem 1280 --ship-module kvm-intel \
		--tree "$dir:/lab/bench" --file "$top/userspace/mkvm:/lab/bench/mkvm" --timeout 2400 \
		-- "sh /lab/bench/host.sh $*" >"$log" || status=$?
	grep -v '^@@BENCH' "$log" >&2 || true
	return $status
}

failed=0
echo "bench: stock KVM, then mini-KVM, on one lab host" >&2
measure 1 "$work/one.log" || failed=1
echo "bench: IPIs on a lab host with two CPUs" >&2
measure 2 "$work/two.log" ipi irqfd_halted || failed=1

{ cat "$work/one.log"; sed 's/ \(ipi\|irqfd_halted\) / \1_smp /' "$work/two.log"; } | grep '^@@BENCH' |
	awk -v json="$json" -f "$here/table.awk" || failed=1
exit $failed
