#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs the cases of qemu.cfg on the lab host and prints TAP. Beside this file lie the kernel, the
# images and memtest86+. QEMU opens /dev/kvm, so the device to test is linked there.
# usage: [DEVICE=/dev/minikvm] run-qemu.sh [CASE...]
set -u
cd "$(dirname "$0")" || exit 1
device=${DEVICE:-/dev/kvm}
[ "$device" = /dev/kvm ] || ln -sf "$device" /dev/kvm
work=$(mktemp -d) || exit 1
pid=''
trap 'kill -9 $pid 2>/dev/null; rm -rf "$work"' EXIT
. ./points.sh

new_case() { name=$1 args='' linux='' append='' ends='' seconds=300 show=0 hangs=''; : >"$work/expect"; }

shows() { grep -qaE "$1" "$console"; }

all_shown() {
	while read -r line; do shows "$line" || return 1; done <"$work/expect"
}

# Sets status: QEMU's own, "stopped" when it was ended after all had been seen, or "late".
boot() {
	console=$work/console-$name
	: >"$console"
	# shellcheck disable=SC2086
	if [ -n "$linux" ]; then
		set -- $args -kernel "$linux" -initrd initramfs -append \
			"console=ttyS0,115200 loglevel=4 nokaslr mitigations=off cryptomgr.notests $append"
	else
		set -- $args
	fi
	case " $args " in *' -m '*) ;; *) set -- -m 256 "$@" ;; esac
	/usr/bin/qemu-system-x86_64 -enable-kvm -nographic -monitor none -serial "file:$console" "$@" \
		</dev/null >"$work/qemu.log" 2>&1 &
	pid=$!
	waited=0 status=late
	while [ $waited -lt "$seconds" ]; do
		sleep 1
		waited=$((waited + 1))
		if ! kill -0 $pid 2>/dev/null; then
			wait $pid
			status=$?
			break
		fi
		if [ -z "$ends" ] && all_shown; then status=stopped; break; fi
	done
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
	pid=''
	[ ! -d /lab/out ] || cp "$console" /lab/out/
}

run_case() {
	[ -n "$name" ] || return 0
	case " $wanted " in "  "|*" $name "*) ;; *) return 0 ;; esac
	if [ -n "$hangs" ] && [ "$device" = /dev/kvm ]; then
		n=$((n + 1))
		echo "ok $n - $name # SKIP stock KVM hangs in the lab: $hangs"
		return 0
	fi
	begin=$(cut -d. -f1 /proc/uptime)
	boot
	if [ -n "$ends" ]; then
		[ "$status" = "$ends" ]; point $? "QEMU ends with $ends"
	else
		[ "$status" = stopped ]; point $? "QEMU runs until stopped"
	fi
	! grep -qE 'KVM internal error|KVM: entry failed|emulation failure|kvm.*failed|Assertion' "$work/qemu.log"
	point $? "QEMU reports no error of the hypervisor"
	! shows 'Call Trace|BUG:|Oops|rcu.*stall|Kernel panic'; point $? "a kernel inside is content"
	while read -r line; do
		shows "$line"; point $? "the console shows '$line'"
	done <"$work/expect"
	echo "# $name took $(($(cut -d. -f1 /proc/uptime) - begin)) s of the host's time"
	[ "$show" -eq 1 ] || return 0
	echo "# QEMU: $status after $waited s"
	sed 's/^/# qemu: /' "$work/qemu.log"
	tail -n 40 "$console" | tr -cd '\n\t -~' | sed 's/^/# /'
}

wanted="$*"
name=''
while read -r word rest <&3; do
	case "$word" in
	''|'#'*) ;;
	case) run_case; new_case "$rest" ;;
	args) args="$args $rest" ;;
	linux) linux=$rest ;;
	append) append="$append $rest" ;;
	ends) ends=$rest ;;
	seconds) seconds=$rest ;;
	stock-hangs) hangs=$rest ;;
	expect) printf '%s\n' "$rest" >>"$work/expect" ;;
	*) echo "Bail out! qemu.cfg: unknown word '$word'"; exit 1 ;;
	esac
done 3<qemu.cfg
run_case
end_points
