#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# On the lab host or the machine: Debian under mkvm in the background, controlled by name: its
# console, a pause that kvmclock does not notice, and its power button. Prints TAP.
# Beside it lie mkvm, guest-vmlinuz, guest-initramfs, guest-root.img and button.sh.
# usage: [ACCEL=kvm] control_debian.sh
set -u
cd "$(dirname "$0")" || exit 1
accel=${ACCEL:-minikvm}
work=$(mktemp -d) || exit 1
export MKVM_RUNTIME_DIR="$work/run"
trap '[ ! -s "$work/pid" ] || kill -KILL "$(cat "$work/pid")" 2>/dev/null; rm -rf "$work"' EXIT
. ./points.sh

tell_failure() {
	sed 's/^/# /' "$work/out" "$work/err"
	tail -n 15 "$work/console" | tr -d '\r' | sed 's/^/# /'
}

m() {
	code=0
	timeout -s KILL 300 ./mkvm "$@" </dev/null >"$work/out" 2>"$work/err" || code=$?
}

# The last tick and its time, in hundredths of a second.
last_tick() { grep -o 'tick=[0-9]* uptime=[0-9.]*' "$work/console" | tail -n 1; }
tick() { last_tick | sed 's/tick=//; s/ .*//'; }
uptime() { last_tick | sed 's/.*uptime=//' | tr -d .; }
# Waits until the guest has counted beyond $1.
await() {
	i=0
	while [ "$(tick)" = "" ] || [ "$(tick)" -le "$1" ]; do
		i=$((i + 1))
		[ $i -lt "$2" ] || return 1
		sleep 1
	done
}

mkdir "$work/more"
cp button.sh "$work/more/run-cmd"
{ cat guest-initramfs; (cd "$work/more" && echo run-cmd | cpio -o -H newc 2>/dev/null); } >"$work/initrd"
cp guest-root.img "$work/root.img"
: >"$work/console"
m run --accel "$accel" -name debian -daemonize -pidfile "$work/pid" -m 256 -smp 2 -kernel ./guest-vmlinuz \
	-initrd "$work/initrd" -append "console=ttyS0,115200 loglevel=5 cryptomgr.notests" \
	-drive "file=$work/root.img,format=raw,if=virtio" -serial null -serial "file:$work/status"
[ "$code" -eq 0 ]; point $? "Debian is started in the background"
./mkvm console debian </dev/null >"$work/console" 2>"$work/console.err" &
console=$!
await 2 600; point $? "its console shows that it has booted"
grep -q 'button=event' "$work/console"; point $? "it has a power button"
m pause debian
# What was on its way to us has arrived.
sleep 1
before=$(tick) uptime=$(uptime)
sleep "${PAUSE:-5}"
[ "$(tick)" = "$before" ]; point $? "paused, it does not count"
m info debian
grep -q '^status *paused' "$work/out" && grep -qE '^vcpu 1 .*exits [1-9]' "$work/out"
point $? "info says so, and counts the exits of both CPUs"
m resume debian
await "$before" 60; point $? "resumed, it counts on"
# The host's clock has moved by the pause, and more. The TSC is not stopped (control.rst).
if grep -q 'clock=kvm-clock' "$work/console"; then
	[ "$(($(uptime) - uptime))" -lt "$((${PAUSE:-5} * 100))" ]; point $? "its clock has not noticed"
else
	n=$((n + 1))
	echo "ok $n - its clock has not noticed # SKIP the guest does not use kvm-clock"
fi
m stop -w 240 debian
[ "$code" -eq 0 ]; point $? "the power button ends it"
wait $console
grep -q 'key=0100740001000000' "$work/console"; point $? "its kernel reported the power key"
[ "$(sed -n 's/^status \([0-9]*\).*/\1/p' "$work/status")" = 0 ]; point $? "and it went down by itself"
! grep -qE 'Call Trace|BUG:|Oops|stall|lockup' "$work/console"; point $? "content to the end"
echo "# $(grep -o 'clock=[a-z-]*' "$work/console"), paused at $uptime, last tick $(last_tick)"
end_points
