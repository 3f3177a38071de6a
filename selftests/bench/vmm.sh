#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# `make bench-vmm`: the same guest under mkvm and under Debian's QEMU, both on stock KVM, on a lab host
# whose clock counts instructions; fio and iperf3 in the guest. Prints a table and writes vmm.json.
# Environment: ROUNDS=3; TESTS="randread-1 send" for some; CACHE=none|writeback of the disk under test;
# SIDES=mkvm|qemu for one alone (with the status of figures that are missing);
# TIMEOUT=600, the seconds a round may take; COUNT=1 counts system calls, exits and switches of each run
# (.lab/bench-vmm/ROUND/*.counts).
set -eu -o pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
lab=$top/selftests/lab
state=${LAB_DIR:-$top/.lab}
export LAB_DIR=$state
rounds=${ROUNDS:-3}
tests=${TESTS:-randread-1 randwrite-1 randread-32 randwrite-32 read-1m write-1m send receive}
cache=${CACHE:-none}
qemu=/usr/bin/qemu-system-x86_64
. "$lab/lane.sh"
case "$rounds" in ''|*[!0-9]*|0) fail "ROUNDS='$rounds': a number" ;; esac
case "$cache" in none|writeback) ;; *) fail "CACHE='$cache': none or writeback" ;; esac

kver=$(stock_kernel)
make -s -C "$top/userspace"
{ read -r initramfs; read -r guest_root; } < <("$lab/guest-image" "$kver")
mkdir -p "$state"
work=$(mktemp -d "$state/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
. "$lab/stage.sh"

# The programs for the guest, with their libraries, as an ext4 image.
make_tools() {
	local prog
	root=$work/tools
	mkdir -p "$root"/{dev,proc,sys,tmp,usr/bin,etc}
	echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
	for prog in fio iperf3; do
		cp "$(command -v $prog)" "$root/usr/bin/$prog"
		stage_libraries "$root/usr/bin/$prog"
	done
	mke2fs -q -t ext4 -d "$root" "$work/bench/tools.img" \
		"$(($(du -sm "$root" | cut -f1) + 10))M" >/dev/null
}

mkdir "$work/bench" "$work/more"
make_tools
cp "$here/vmm_host.sh" "$work/bench/"
cp --sparse=always "$guest_root" "$work/bench/guest-root.img"
cp "/boot/vmlinuz-$kver" "$work/bench/guest-vmlinuz"
cp "$here/vmm_guest.sh" "$work/more/run-cmd"
cat >"$work/more/run-vmm" <<ENV
ios=${IOS:-3000}
transfers=${TRANSFERS:-48}
megabytes=${MEGABYTES:-24}
tests="$tests"
ENV
{ cat "$initramfs"; (cd "$work/more" && find . -type f | cpio --quiet -R 0:0 -o -H newc); } >"$work/bench/guest-initrd"

args=(--lane svm --kver "$kver" --icount --mem 2304 --module kvm-amd --timeout "${TIMEOUT:-600}"
	--tree "$work/bench:/lab/bench" --file "$top/userspace/mkvm:/lab/bench/mkvm")
for module in tun bridge ext4 null_blk; do args+=(--ship-module "$module"); done
for prog in "$qemu" "$(command -v mke2fs)" "$(command -v iperf3)"; do args+=(--file "$prog:/usr/bin/$(basename "$prog")"); done
for rom in kvmvapic.bin linuxboot.bin linuxboot_dma.bin; do args+=(--file "/usr/share/qemu/$rom:/usr/share/qemu/$rom"); done
args+=(--file /usr/share/seabios/bios-256k.bin:/usr/share/seabios/bios-256k.bin)

# One round: both sides on one lab host. Counting instructions, this emulator comes to a standstill now and
# then, its virtual CPU executing nothing for ever: such a round is begun again. usage: run_round NUMBER
run_round() {
	local status tries
	for tries in 1 2 3; do
		status=0
		printf 'round=%s\ncache=%s\ncount=%s\nsides="%s"\n' "$1" "$cache" "${COUNT:-}" "${SIDES:-}" >"$work/bench/vmm.env"
		"$lab/lab" "${args[@]}" --out "$state/bench-vmm/$1" -- 'sh /lab/bench/vmm_host.sh' >"$work/log" 2>"$work/err" || status=$?
		[ $status -eq 124 ] || break
		echo "bench-vmm: round $1, try $tries: no end" >&2
	done
	grep -v '^@@VMM' "$work/log" >&2 || true
	cat "$work/err" >&2
	grep '^@@VMM' "$work/log" >>"$work/figures" || true
	return $status
}

rm -rf "$state/bench-vmm"
mkdir "$state/bench-vmm"
: >"$work/figures"
failed=0
for round in $(seq "$rounds"); do run_round "$round" || failed=1; done
awk -v rounds="$rounds" -v tests="$tests" -v json="$state/vmm.json" -f "$here/vmm_table.awk" "$work/figures" || failed=1
exit $failed
