#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# On the lab host or the machine: `mkvm trace` and `mkvm stat` of a tiny kernel that polls ports
# (control.S), live.
# Prints TAP. ACCEL: minikvm or kvm. The kernels and mkvm are in this folder.
set -u
cd "$(dirname "$0")" || exit 1
accel=${ACCEL:-minikvm}
out=$(mktemp -d) || exit 1
export MKVM_RUNTIME_DIR="$out/run"
tracefs=/sys/kernel/tracing
. ./points.sh
trap '[ ! -s "$out/pid" ] || kill -KILL "$(cat "$out/pid")" 2>/dev/null; rm -rf "$out"' EXIT

tell_failure() {
	echo "# status: ${code:-none}"
	head -c 1500 "$out/stdout" | tr -d '\r' | sed 's/^/# stdout: /'
	head -n 20 "$out/stderr" | sed 's/^/# stderr: /'
	[ ! -e "$out/json" ] || { head -n 12 "$out/json"; tail -n 3 "$out/json"; } | sed 's/^/# json: /'
}

# m ARGUMENT... : runs mkvm; sets code
m() {
	code=0
	timeout -s KILL 100 ./mkvm "$@" </dev/null >"$out/stdout" 2>"$out/stderr" || code=$?
}
said() { grep -qF -e "$1" "$out/stdout"; }
told() { grep -qF -e "$1" "$out/stderr"; }
is() { [ "$code" -eq "$1" ]; }
count() { grep -c -e "$1" "$out/json"; }
no_instance() {
	for d in "$tracefs"/instances/mkvm-trace-*; do [ ! -d "$d" ] || return 1; done
}
# A new instance records, too, but nobody yet.
records() {
	grep -q . "$tracefs"/instances/mkvm-trace-*/set_event_pid 2>/dev/null &&
		grep -q 1 "$tracefs"/instances/mkvm-trace-*/tracing_on
}
await_recording() {
	i=0
	while ! records; do
		i=$((i + 1))
		[ $i -lt 100 ] || return 1
		sleep 0.1
	done
}

[ -d "$tracefs/instances" ] || mount -t tracefs tracefs "$tracefs" || { echo "1..0 # SKIP no tracefs"; exit 4; }
m run -accel "$accel" -kernel ./tiny-control -m 64 -name one -smp 2 -daemonize -pidfile "$out/pid"
is 0; point $? "a machine runs"
# An emulated CPU writes them for a while.
m trace one --seconds 2 --events 1500 -o "$out/json" --folded "$out/folded"
is 0 && told "$out/json"; point $? "it is recorded"
no_instance; point $? "... and the instance of tracefs has gone"
# An emulated CPU has other things to do than to poll ports.
m pause one

# One event a line, between a line that begins and one that ends the JSON.
[ "$(grep -cvE '^\{"ph":"[XiM]",.*\},?$' "$out/json")" -eq 2 ] && head -n 1 "$out/json" | grep -q '^{.*\[$' &&
	tail -n 1 "$out/json" | grep -q '^\],"otherData":{"exits":[1-9].*}}$'
point $? "each line of the JSON is an event"
sh ./trace-schema.sh "$out/json" >"$out/stdout" 2>&1
point $? "... and as the Trace Event Format wants it"
grep -q '"thread_name","pid":[0-9]*,"tid":[0-9]*,"args":{"name":"vCPU 0"}' "$out/json"
point $? "the vCPU has a track"
exits=$(sed -n 's/.*"otherData":{"exits":\([0-9]*\).*/\1/p' "$out/json")
slices=$(count '"cat":"exit"')
guest=$(count '"cat":"guest"')
# The first stay has no beginning, the last exit no end.
[ "$exits" -gt 20 ] && [ $((exits - slices)) -le 2 ] && [ $((exits - guest)) -le 2 ]
point $? "exits ($exits), what became of them ($slices) and stays in the guest ($guest) agree"
[ "$(grep '"cat":"exit","name":"\(IO_INSTRUCTION\|io\)"' "$out/json" | grep -c '"handled":"user","run_reason":"KVM_EXIT_IO"')" -gt 5 ]
point $? "the VMM handled what the guest did to ports"
[ "$(count '"name":"userspace".*"reason":"KVM_EXIT_IO"')" -gt 5 ]; point $? "... and how long is seen"
# The serial port's line status, which it polls: port 0x3fd.
grep -q '"name":"pio".*"rw":0,"port":1021,"size":1,"count":1,"val":96}' "$out/json"
point $? "an access to a port has its values"
[ "$(awk '$1 ~ /^(IO_INSTRUCTION|io);0x10002/ { n += $2 } END { print n + 0 }' "$out/folded")" -gt 5 ]
point $? "folded stacks say where in the guest it came from"

m resume one
echo '0000000001000200 T polling' >"$out/map"
m trace one --seconds 1 --events 1000 --folded "$out/folded" --symbols "$out/map"
is 0 && grep -qE '^(IO_INSTRUCTION|io);polling [1-9]' "$out/folded"; point $? "with symbols: by name"
m trace one --seconds 0.2 --events 5 -o "$out/json"
is 0 && told "--events allows no more"; point $? "--events bounds it"

# ---- stat ----
# value KEY: of the first object of its output that has it
value() { grep -o "\"$1\":[0-9]*" "$out/stdout" | head -n 1 | sed 's/.*://'; }
if [ "$accel" = kvm ]; then
	m stat one --once
	is 1 && told "runs on stock KVM"; point $? "stat: stock KVM shows nothing"
else
	m stat one --once --json --interval 0.5
	is 0 && [ "$(value exits)" -gt 20 ] && [ "$(value user)" -gt 5 ] &&
		[ $(($(value user) + $(value kernel))) -eq "$(value exits)" ]
	point $? "stat: exits of half a second, and who handled them"
	grep -q '"reason":30,"count":[1-9]' "$out/stdout" && [ "$(value p50-ns)" -gt 0 ] &&
		[ "$(value p50-ns)" -le "$(value p99-ns)" ]
	point $? "stat: what I/O instructions cost"
	m stat one --interval 0.1 --count 2 --csv
	is 0 && [ "$(grep -c '^time,reason,' "$out/stdout")" -eq 1 ] && [ "$(grep -c ',30,"' "$out/stdout")" -eq 2 ]
	point $? "stat: CSV of two intervals"
	m stat one --once --interval 0.2 --vcpu 0
	is 0 && said "one: 1 vCPU, " && said "EPT faults/s" && said "P99 NS"; point $? "stat: a screen of one vCPU"
	m stat one --vcpu 7
	is 1 && told "has no vCPU 7"; point $? "stat: a vCPU that does not exist"
	./mkvm stat one --interval 50 </dev/null >"$out/stdout" 2>"$out/stderr" &
	watcher=$!
	sleep 0.5
	kill -TERM $watcher
	code=0
	wait $watcher || code=$?
	is 0 && said "exits/s"; point $? "stat: shows what it has when it is ended"
fi

m pause one
./mkvm trace one -o "$out/late" </dev/null >"$out/stdout" 2>"$out/stderr" &
tracer=$!
await_recording
kill -INT $tracer
code=0
wait $tracer || code=$?
is 0 && [ -s "$out/late" ] && no_instance; point $? "Ctrl-C ends it, and all is written"
rm "$out/late"
./mkvm trace one -o "$out/late" </dev/null >"$out/stdout" 2>"$out/stderr" &
tracer=$!
await_recording
kill -KILL $tracer
wait $tracer 2>/dev/null
! no_instance; left=$?
m trace one --seconds 0.1 -o "$out/json"
is 0 && [ $left -eq 0 ] && no_instance; point $? "what a killed one left is taken away by the next"
rm -f "$out"/late*
./mkvm trace one -o "$out/late" </dev/null >"$out/stdout" 2>"$out/stderr" &
tracer=$!
await_recording
m stop -f one
code=0
wait $tracer || code=$?
is 0 && [ -s "$out/late" ] && no_instance; point $? "it ends with the machine"
m trace one
is 1 && told "no virtual machine 'one' is running"; point $? "which then cannot be recorded"
end_points
