#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# `make bench-vmm`: the same guest under mkvm and under Debian's QEMU, both on stock KVM, on a lab host
# whose clock counts instructions; fio and iperf3 in the guest. Prints a table and writes vmm.json.
# Environment: ROUNDS=3; TESTS="randread-1 send" for some; CACHE=none|writeback of the disk under test;
# SIDES=mkvm|qemu for one alone (with the status of figures that are missing); JOBS=1, lab hosts at a time;
# TIMEOUT=150, the seconds a run of two tests may take; COUNT=1 counts system calls, exits and switches of
# each run (.lab/bench-vmm/ROUND.PART.SIDE/*.counts).
set -eu -o pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
lab=$top/selftests/lab
state=${LAB_DIR:-$top/.lab}
export LAB_DIR=$state
rounds=${ROUNDS:-3}
tests=${TESTS:-randread-1 randwrite-1 randread-32 randwrite-32 read-1m write-1m send receive start}
cache=${CACHE:-none}
jobs=${JOBS:-1}
qemu=/usr/bin/qemu-system-x86_64
. "$lab/lane.sh"
case "$rounds" in ''|*[!0-9]*|0) fail "ROUNDS='$rounds': a number" ;; esac
case "$jobs" in ''|*[!0-9]*|0) fail "JOBS='$jobs': a number" ;; esac
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

mkdir "$work/bench"
make_tools
cp "$here/vmm_host.sh" "$work/bench/"
cp --sparse=always "$guest_root" "$work/bench/guest-root.img"
cp "/boot/vmlinuz-$kver" "$work/bench/guest-vmlinuz"
args=(--lane svm --kver "$kver" --icount --mem 2304 --module kvm-amd --timeout "${TIMEOUT:-150}"
	--file "$top/userspace/mkvm:/lab/bench/mkvm")
for module in tun bridge ext4 null_blk; do args+=(--ship-module "$module"); done
for prog in "$qemu" "$(command -v mke2fs)" "$(command -v iperf3)"; do args+=(--file "$prog:/usr/bin/$(basename "$prog")"); done
for rom in kvmvapic.bin linuxboot.bin linuxboot_dma.bin; do args+=(--file "/usr/share/qemu/$rom:/usr/share/qemu/$rom"); done
args+=(--file /usr/share/seabios/bios-256k.bin:/usr/share/seabios/bios-256k.bin)

# Two tests of one side, on a lab host of their own. Counting instructions, this emulator's nested guest comes to
# a standstill now and then (lab.rst), and the longer it runs the likelier: such a run is begun again, and the
# others are not lost. usage: run_part ROUND PART SIDE TEST...
run_part() {
	local round=$1 part=$2 side=$3 dir=$work/$1.$2.$3 status tries
	shift 3
	mkdir -p "$dir/more"
	cp --sparse=always -r "$work/bench" "$dir/bench"
	cp "$here/vmm_guest.sh" "$dir/more/run-cmd"
	cat >"$dir/more/run-vmm" <<-ENV
		ios=${IOS:-3000}
		transfers=${TRANSFERS:-400}
		megabytes=${MEGABYTES:-128}
		tests="$*"
	ENV
	{ cat "$initramfs"; (cd "$dir/more" && find . -type f | cpio --quiet -R 0:0 -o -H newc); } >"$dir/bench/guest-initrd"
	printf 'round=%s\ncache=%s\ncount=%s\nside=%s\ntests="%s"\n' "$round" "$cache" "${COUNT:-}" "$side" "$*" >"$dir/bench/vmm.env"
	for tries in 1 2 3 4 5; do
		status=0
		"$lab/lab" "${args[@]}" --tree "$dir/bench:/lab/bench" --out "$state/bench-vmm/$round.$part.$side" \
			-- 'sh /lab/bench/vmm_host.sh' >"$dir/log" 2>"$dir/err" || status=$?
		[ $status -eq 124 ] || break
		echo "bench-vmm: round $round, $side, $*, try $tries: no end" >&2
	done
	grep -v '^@@VMM' "$dir/log" >&2 || true
	cat "$dir/err" >&2
	grep '^@@VMM' "$dir/log" >"$work/figures.$round.$part.$side" || true
	rm -rf "$dir"
	return $status
}

rm -rf "$state/bench-vmm"
mkdir "$state/bench-vmm"
failed=0 running=0
read -ra list <<<"$tests"
for round in $(seq "$rounds"); do
	for ((part = 0; part < ${#list[@]}; part += 2)); do
		order="mkvm qemu"
		[ $((round % 2)) = 1 ] || order="qemu mkvm"
		for side in ${SIDES:-$order}; do
			if [ $running -ge "$jobs" ]; then
				wait -n || failed=1
				running=$((running - 1))
			fi
			run_part "$round" "$part" "$side" "${list[@]:part:2}" &
			running=$((running + 1))
		done
	done
done
while [ $running -gt 0 ]; do
	wait -n || failed=1
	running=$((running - 1))
done
cat "$work"/figures.* >"$work/figures"
awk -v rounds="$rounds" -v tests="$tests" -v json="$state/vmm.json" -f "$here/vmm_table.awk" "$work/figures" || failed=1
exit $failed
