#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# On the lab host or the machine: what `mkvm list`, `info`, `console`, `stop`, `pause`, `resume` and
# `reset` do to running guests, with tiny kernels (selftests/boot/tiny). Prints TAP.
# ACCEL: minikvm or kvm. The kernels and mkvm are in this folder.
set -u
cd "$(dirname "$0")" || exit 1
accel=${ACCEL:-minikvm}
out=$(mktemp -d) || exit 1
export MKVM_RUNTIME_DIR="$out/run"
. ./points.sh
trap 'for p in "$out"/pid*; do [ ! -s "$p" ] || kill -KILL "$(cat "$p")"; done 2>/dev/null; rm -rf "$out"' EXIT

tell_failure() {
	echo "# status: ${code:-none}"
	head -c 1500 "$out/stdout" | tr -d '\r' | sed 's/^/# stdout: /'
	head -n 20 "$out/stderr" | sed 's/^/# stderr: /'
}

# m ARGUMENT... : runs mkvm; sets code
m() {
	code=0
	timeout -s KILL 100 ./mkvm "$@" </dev/null >"$out/stdout" 2>"$out/stderr" || code=$?
}

# start NAME KERNEL OPTION... : in the background
start() {
	vm=$1 kernel=$2
	shift 2
	m run -accel "$accel" -kernel "./tiny-$kernel" -m 64 -name "$vm" -daemonize \
		-pidfile "$out/pid-$vm" "$@"
}

said() { grep -qF -e "$1" "$out/stdout"; }
told() { grep -qF -e "$1" "$out/stderr"; }
is() { [ "$code" -eq "$1" ]; }
# follow NAME: collects what its console shows
follow() { : >"$out/log-$1"; timeout 300 ./mkvm console "$1" </dev/null >"$out/log-$1" 2>"$out/stderr" & }
heard() { wc -c <"$out/log-$1"; }
# await SECONDS COMMAND...
await() {
	i=$(($1 * 5))
	shift
	while ! "$@"; do
		i=$((i - 1))
		[ $i -gt 0 ] || return 1
		sleep 0.2
	done
}
shows() { grep -q "$2" "$out/log-$1"; }
more() { [ "$(heard "$1")" -gt "$2" ]; }
gone() { ! kill -0 "$1" 2>/dev/null; }

m list
is 0 && [ "$(wc -l <"$out/stdout")" -eq 1 ]; point $? "nothing runs"
start one control -smp 2
is 0 && [ ! -s "$out/stdout" ] && [ ! -s "$out/stderr" ]; point $? "-daemonize returns with status 0"
pid=$(cat "$out/pid-one")
kill -0 "$pid"; point $? "its pid file names a process"
[ "$(stat -c '%a %F' "$out/run/one.sock")" = "600 socket" ]; point $? "the control socket is private"
sleep 1
follow one
await 20 shows one '^S\.'; point $? "its console shows what it said before anybody looked"
m list
said one && said running && said "$pid"; point $? "list names it"
m list --json
said '"status": "running"' && said '"vcpus": 2'; point $? "as JSON, too"
m info one
is 0 && said "vcpu 1" && grep -qE '^vcpu 0 .*exits [1-9]' "$out/stdout"; point $? "info counts its exits"
m info --json one
is 0 && said '"io_exits"' ; point $? "as JSON, too"
start one control
is 1 && told "-name one: a virtual machine of this name is running (pid $pid)"
point $? "a second machine of that name is refused"
[ "$(cat "$out/pid-one")" = "$pid" ]; point $? "and leaves the first one's pid file alone"

printf hello >"$out/input"
timeout 1 ./mkvm console --no-replay one <"$out/input" >"$out/stdout" 2>"$out/stderr"
# Dots come between the letters.
tr -d '.\n' <"$out/stdout" | grep -q hello; point $? "the console takes input"
tr -d '.\n' <"$out/log-one" | grep -q hello; point $? "and shows it to several readers"
first=$(heard one)
await 10 more one "$first"; point $? "it goes on for those who stay"

m pause one
is 0; point $? "pause"
sleep 1
first=$(heard one)
sleep 1
[ "$(heard one)" -eq "$first" ]; point $? "a paused guest stands still"
m list
said paused; point $? "list says so"
m stop one
is 1 && told "does not run (paused)"; point $? "its power button is not pressed"
m reset one
m list
said paused; point $? "it stays paused when it is reset"
m resume one
is 0 && await 20 shows one 'S.*S'; point $? "and starts anew when resumed"
for i in 1 2 3 4 5; do
	m pause one && is 0 && m resume one && is 0 || break
done
is 0; point $? "five times"
first=$(heard one)
await 10 more one "$first"; point $? "and it still runs"
m stop one
is 0 && [ ! -s "$out/stderr" ]; point $? "stop presses the power button and waits"
await 5 shows one 'B$'; point $? "the guest has seen it"
! kill -0 "$pid" 2>/dev/null && [ ! -e "$out/pid-one" ] && [ -z "$(ls "$out/run")" ]
point $? "nothing is left of it"
m stop one
is 1 && told "no virtual machine 'one' is running"; point $? "what does not run cannot be stopped"

start two spin -S
m list
said prelaunch; point $? "-S waits for resume"
m resume two
follow two
await 20 shows two r; point $? "and begins then"
m stop -w 1 two
is 1 && told "two has not powered off within 1 seconds"; point $? "a guest that ignores the button is reported"
kill -STOP "$(cat "$out/pid-two")"
m list
said "not answering"; point $? "a machine that does not answer is listed as such"
kill -CONT "$(cat "$out/pid-two")"
pid=$(cat "$out/pid-two")
m stop -f two
is 0 && await 10 gone "$pid"; point $? "stop -f needs nobody's consent"

start log triple_fault -D "$out/messages"
is 0 && await 10 grep -q 'triple fault' "$out/messages"; point $? "-D keeps what is said in the background"
start three spin -smp 2
pid=$(cat "$out/pid-three")
kill -KILL "$pid"
await 10 gone "$pid"
[ -e "$out/run/three.sock" ]; point $? "a killed machine leaves its socket"
m info three
is 1 && told "no virtual machine 'three' is running"; point $? "which deceives nobody"
m list
[ "$(wc -l <"$out/stdout")" -eq 1 ] && [ -z "$(ls "$out/run")" ]; point $? "list removes it"
start three spin
kill -KILL "$(cat "$out/pid-three")"
start three control
follow three
is 0 && await 20 shows three S; point $? "its name can be used again at once"
m stop three
is 0; point $? "and is that of the new machine"

m run -accel /nonexistent/device -kernel ./tiny-spin -name four -daemonize
is 1 && told "cannot open /nonexistent/device" && [ -z "$(ls "$out/run")" ]
point $? "-daemonize reports mistakes, with status 1"
./mkvm run -accel "$accel" -kernel ./tiny-spin -m 64 -name five,process=myguest -qmp "unix:$out/qmp,server=on,wait=off" \
	</dev/null >"$out/five" 2>&1 &
pid=$!
i=0
while [ ! -s "$out/five" ] && [ $i -lt 100 ]; do sleep 0.1; i=$((i + 1)); done
m console five
is 1 && told "no serial port but the terminal"; point $? "a machine on a terminal has its console there"
[ "$(cat /proc/$pid/comm)" = myguest ] && grep -q vcpu0 /proc/$pid/task/*/comm
point $? "process and threads have names"
[ -S "$out/qmp" ]; point $? "-qmp makes a second socket"
kill -TERM $pid
code=0
wait $pid || code=$?
is 143 && [ ! -e "$out/qmp" ] && [ -z "$(ls "$out/run")" ]; point $? "SIGTERM leaves nothing, either"
end_points
