#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# On the lab host or the machine: kills mkvm at random moments under a guest that writes (tiny/records.c),
# looks at the image with qemu-img, and lets the next guest on it look for everything that was flushed.
# Prints TAP. mkvm, qemu-img and the kernels lie in this folder.
# KILLS: how many, divided among six kinds of images (default 6). KINDS: only these. ACCEL: minikvm or kvm.
# SLOW: how much longer things take here than where QEMU emulates (default 1).
set -u
cd "$(dirname "$0")" || exit 1
accel=${ACCEL:-minikvm}
kills=${KILLS:-6}
slow=${SLOW:-1}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
killed=0 flushes=0 leaky=0
. ./points.sh

tell_failure() {
	echo "# mkvm ended with $code, the check of the image with $status"
	grep -v '^Leaked' "$work/check" | head -n 20 | sed 's/^/# check: /'
	tail -n 10 "$work/said" "$work/errors" 2>/dev/null | tr -d '\r' | sed 's/^/# /'
	tail -n 3 "$work/log" | sed 's/^/# rounds: /'
	[ ! -d /lab/out ] || cp "$image" /lab/out/
}

# nap MICROSECONDS-AT-MOST
nap() {
	us=$(below "$1")
	sleep "$((us / 1000000)).$(printf '%06d' $((us % 1000000)))"
}

below() { echo $(($(od -An -tu4 -N4 /dev/urandom) % $1)); }

# begin: a guest that does what the last line of the log says; sets pid.
begin() {
	: >"$work/said"
	./mkvm run -accel "$accel" -kernel ./tiny-records -m 64 -initrd "$work/log" \
		-drive "file=$image,format=$format,if=virtio,discard=unmap" </dev/null >"$work/said" 2>"$work/errors" &
	pid=$!
}

# Waits until the guest has looked at the disk; at most two minutes.
wait_looked() {
	tries=0
	until [ -s "$work/said" ] || ! kill -0 $pid 2>/dev/null || [ $tries -ge 2400 ]; do
		sleep 0.05
		tries=$((tries + 1))
	done
}

# No errors; leaks only where they are expected. usage: consistent [REPAIR]
consistent() {
	status=0
	./qemu-img check -f "$format" ${1:+-r "$1"} "$image" >"$work/check" 2>&1 || status=$?
	[ $status -ne 3 ] || leaky=$((leaky + 1))
	[ $status -eq 0 ] || [ $status -eq 3 ]
}

# What the killed process has left, as soon as the kernel has closed its image (mkvm waits for that): no errors, and all that the log says is checked by the next guest.
sound() {
	./mkvm img info "$image" >/dev/null 2>"$work/check" || return 1
	case $kind in
	raw) return 0 ;;
	*lazy*)
		# The dirty bit says that refcounts are to be worked out, by mkvm or by QEMU.
		if [ $((round % 2)) -eq 0 ]; then consistent all; return; fi
		./mkvm img check -q -r all "$image" >"$work/check" 2>&1 && consistent ;;
	*) consistent ;;
	esac
}

# One kill. Some come while the image is being opened, or looked at.
kill_once() {
	round=$((round + 1))
	printf '%x\n' $round >>"$work/log"
	begin
	if [ "$(below 6)" -eq 0 ]; then
		nap $((slow * 1500000))
	else
		wait_looked
		nap $((slow * 1000000))
	fi
	kill -KILL $pid
	code=0
	wait $pid 2>/dev/null || code=$?
	killed=$((killed + 1))
	acked=$(sed -n 's/^A \([0-9a-f]*\) $/\1/p' "$work/said" | tail -n 1)
	flushes=$((flushes + $(grep -c '^A ' "$work/said")))
	sed -i '$d' "$work/log"
	printf '%x %s\n' $round "${acked:-0}" >>"$work/log"
	[ $code -eq 137 ] && ! grep -q '!' "$work/said" && [ ! -s "$work/errors" ] && sound
}

# The guest checks the disk once more; then the same bytes for QEMU and for us, and nothing leaks.
settle() {
	begin
	code=0
	wait $pid || code=$?
	[ $code -eq 0 ] && [ "$(tr -d '\r\n' <"$work/said")" = VE ] || return 1
	case $format in
	qcow2) consistent leaks && ./qemu-img check -q -f qcow2 "$image" >"$work/check" 2>&1 || return 1 ;;
	vdi) consistent || return 1 ;;
	esac
	./mkvm img convert -q -f "$format" "$image" "$work/plain" 2>"$work/errors" &&
		./qemu-img compare -q -f "$format" -F raw "$image" "$work/plain" >"$work/check" 2>&1
	status=$?
	rm -f "$work/plain"
	return $status
}

# run_kind KIND FORMAT LOG CREATE-OPTION... : kills, with the rounds of LOG behind the image already.
run_kind() {
	kind=$1 format=$2 image=$work/$1
	case " ${KINDS:-$1} " in *" $1 "*) ;; *) return 0 ;; esac
	cp "$3" "$work/log"
	shift 3
	./mkvm img create -q -f "$format" "$@" "$image" 128M || exit 1
	i=0 failed=0 status=0 code=0
	while [ $i -lt "$per_kind" ] && [ $failed -eq 0 ]; do
		i=$((i + 1))
		kill_once || failed=1
	done
	point $failed "$kind: killed $i times, no flushed write is lost, the image has no error"
	settle; point $? "$kind: and is as good as new afterwards"
}

per_kind=$(((kills + 5) / 6))
round=$(below 16384)
: >"$work/none"; : >"$work/log"
run_kind raw raw "$work/none"
# The rounds of the raw image are what its overlays begin with.
cp "$work/log" "$work/below"
run_kind qcow2-64k-over-raw qcow2 "$work/below" -o cluster_size=64k -b "$work/raw" -F raw
run_kind qcow2-4k-lazy-over-raw qcow2 "$work/below" -o cluster_size=4k,lazy_refcounts=on -b "$work/raw" -F raw
run_kind qcow2-4k qcow2 "$work/none" -o cluster_size=4k
run_kind qcow2-64k-lazy qcow2 "$work/none" -o cluster_size=64k,lazy_refcounts=on
rm -f "$work/qcow2"*
run_kind vdi vdi "$work/none"
echo "# $killed kills, $flushes flushes heard of, $leaky checks found leaks"
end_points
