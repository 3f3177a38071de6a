#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# `make compare` and `make bench`: `mkvm compare` on the lab host, where the time-stamp counter counts
# instructions. Prints the table; result and page go to .lab/NAME.json and .lab/NAME.html.
# usage: run.sh compare [OPTION...]   everything, with QEMU; and what needs it on a host with two CPUs
#        run.sh bench [OPTION...]     what exits and a boot cost, with mkvm alone
# Options are those of `mkvm compare`. On a machine with VT-x (LANE=native) there is no lab, and cycles
# are counted.
set -eu -o pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
lab=$top/selftests/lab
compat=$top/selftests/compat
state=${LAB_DIR:-$top/.lab}
export LAB_DIR=$state
name=${1:-}
case "$name" in
compare) default=(--repeat 1) ;;
bench) default=(--bench "exits,boot" --qemu none) ;;
*) echo "usage: run.sh compare|bench [OPTION...]" >&2; exit 1 ;;
esac
shift

. "$lab/lane.sh"
. "$compat/qemu-ship.sh"
choose_lane
if [ "$lane" = native ]; then kver=$(uname -r); else kver=$(stock_kernel); fi
module=$("$lab/build-module" "$kver")
make -s -C "$top/userspace"
make -s -C "$top/selftests" bench

mkdir -p "$state"
if [ "$lane" = native ]; then
	exec "$top/userspace/mkvm" compare --module "$module" --json "$state/$name.json" \
		--html "$state/$name.html" "${default[@]}" "$@"
fi
work=$(mktemp -d "$state/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
dir=$work/compare
mkdir "$dir"
cp "$top/userspace/mkvm" "$top"/selftests/out/bench/*_bench "$module" "$dir/"
cp "/boot/vmlinuz-$kver" "$dir/vmlinuz"
ship=()
for m in kvm-intel virtio_pci virtio_blk virtio_net; do ship+=(--ship-module "$m"); done
[ "$name" = bench ] || qemu_ship

# usage: measure CPUS OPTION...: the result is $work/CPUS.json
measure() {
	local cpus=$1 status=0
	shift
	"$lab/lab" --lane vmx --kver "$kver" --cpus "$cpus" --mem 1280 "${ship[@]}" --tree "$dir:/lab/compare" \
		--out "$work/out" --timeout 2400 -- "cd /lab/compare && ./mkvm compare --unit instructions --quiet \
			--timeout 1200 --kernel ./vmlinuz --module ./$(basename "$module") \
			--json /lab/out/result.json $(printf '%q ' "$@")" >&2 || status=$?
	[ ! -s "$work/out/result.json" ] || mv "$work/out/result.json" "$work/$cpus.json"
	return $status
}

failed=0
measure 1 "${default[@]}" "$@" || failed=1
# Two vCPUs that wake each other, with a host CPU each.
[ $# -gt 0 ] || measure 2 --qemu none --bench ipi,irqfd_halted || failed=1

from=()
for file in "$work/1.json" "$work/2.json"; do [ ! -e "$file" ] || from+=(--from "$file"); done
[ ${#from[@]} -gt 0 ] || { echo "$name: nothing was measured" >&2; exit 1; }
"$top/userspace/mkvm" compare "${from[@]}" --json "$state/$name.json" --html "$state/$name.html" || failed=1
echo "$name: $state/$name.json and $state/$name.html" >&2
exit $failed
