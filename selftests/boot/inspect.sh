#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# On the lab host: looks into the guest of case "disk" while it runs, and checks that what the commands
# show is true. What stock KVM does not show must be refused with the reason. Ends with a line that
# counts. usage: [ACCEL=kvm] inspect.sh prepare|meanwhile DIR
set -u
work=$2
[ "$1" = meanwhile ] || exit 0
vm=disk
right=0 wrong=0

check() {
	if [ "$1" -eq 0 ]; then
		right=$((right + 1))
		return
	fi
	wrong=$((wrong + 1))
	echo "WRONG: $2"
	head -n 12 "$work/seen" "$work/told"
}
# m ARGUMENT... : sets code; what it prints is in "seen" and "told"
m() {
	code=0
	timeout -s KILL 100 ./mkvm "$@" </dev/null >"$work/seen" 2>"$work/told" || code=$?
}
saw() { grep -q -e "$1" "$work/seen"; }
# field ENCODING FILE: a field's value in a dump
field() { sed -n "s/^ *\"$1\": \"0x\\([0-9a-f]*\\)\".*/\\1/p" "$2" | head -n 1; }
# The guest need not wait for us any longer (disk.sh).
let_go() { printf 'done' | dd of="$work/data.img" bs=512 seek=16000 conv=notrunc 2>/dev/null; }
trap let_go EXIT
finish() {
	[ ! -d /lab/out ] || cp "$work"/inspect-* /lab/out/ 2>/dev/null
	echo "inspected: $right right, $wrong wrong"
	exit 0
}

# The guest's script has begun: there are processes.
i=0
until grep -q 'queues=' "$work/console-$vm" 2>/dev/null; do
	i=$((i + 1))
	[ $i -lt 600 ] || break
	sleep 1
done

if [ "$ACCEL" != minikvm ]; then
	m vmcs $vm
	[ "$code" -eq 1 ] && grep -q 'runs on stock KVM' "$work/told"; check $? "vmcs of stock KVM"
	m ept $vm
	[ "$code" -eq 1 ] && grep -q 'runs on stock KVM' "$work/told"; check $? "ept of stock KVM"
	finish
fi

./mkvm vmcs $vm watch --json >"$work/inspect-watch" 2>"$work/watch-told" &
watch=$!

# Two exits with different CR3.
m vmcs $vm --json --save "$work/inspect-a.json"
[ "$code" -eq 0 ] && saw '"name": "guest CR3"' && saw '"name": "use MSR bitmaps"'; check $? "vmcs --json"
i=0
while [ $i -lt 40 ]; do
	m vmcs $vm --save "$work/inspect-b.json"
	[ "$code" -eq 0 ] || break
	[ "$(field 0x6802 "$work/inspect-a.json")" = "$(field 0x6802 "$work/inspect-b.json")" ] || break
	i=$((i + 1))
	sleep 0.3
done
cp "$work/seen" "$work/inspect-vmcs"
[ "$code" -eq 0 ]; check $? "vmcs show"
saw "^VM-execution control fields" && saw "^Guest-state area" && saw "^Host-state area"
check $? "its areas"
saw 'SET   external-interrupt exiting' && saw 'SET   enable EPT' && saw 'SET   unrestricted guest' &&
	saw 'SET   IA-32e mode guest'
check $? "controls that are set"
! saw 'REQUIRED BUT CLEAR' && ! saw 'NOT ALLOWED' && ! saw 'NOT AS THE CPU'
check $? "nothing that the CPU would refuse"
saw '6800  guest CR0 .* PE .*PG ' && saw '2806  guest IA32_EFER .*LME LMA' && saw '2800  .* none$' &&
	saw '^  CS .* code, execute/read'
check $? "a guest in 64-bit mode"
saw '^last exit: [0-9]* [a-zA-Z]'; check $? "an exit"
m vmcs "$work/inspect-a.json" diff "$work/inspect-b.json"
cp "$work/seen" "$work/inspect-diff"
saw '^  6802  guest CR3 ' && saw 'fields differ'; check $? "diff shows another CR3"
m vmcs $vm diff "$work/inspect-a.json"
[ "$code" -eq 0 ] && saw '^  6802\|^  681e\|^  681c'; check $? "diff with the live guest"
m vmcs $vm --vcpu 1 --wait 0 --save "$work/inspect-cpu1.json"
[ "$code" -eq 0 ] && saw '^vCPU 1 of disk'; check $? "the other vCPU"
[ "$(field 0x201a "$work/inspect-cpu1.json")" = "$(field 0x201a "$work/inspect-b.json")" ]
check $? "has the same tables"
[ "$(field 0x6c14 "$work/inspect-cpu1.json")" != "$(field 0x6c14 "$work/inspect-b.json")" ]
check $? "and another stack of the host"
m vmcs $vm --vcpu 7
[ "$code" -eq 1 ] && grep -q 'has no vCPU 7; it has 2' "$work/told"; check $? "vCPU 7"
m vmcs $vm bitmaps
[ "$code" -eq 0 ] && saw '0xc0000100.*FS_BASE'; check $? "bitmaps"

m ept $vm
cp "$work/seen" "$work/inspect-ept"
root=$(field 0x201a "$work/inspect-b.json")
[ "$code" -eq 0 ] && saw "root at host-physical 0x${root%???}000,"; check $? "the tables are those of the VMCS"
grep -q 'mapped [1-9][0-9]* KiB' "$work/seen" && grep -q '^  slot .* 0000000000000000-.*MiB' "$work/seen"
check $? "memory is mapped"
# The APIC-access page of a CPU that has one is mapped and in no slot.
! saw 'OUTSIDE ITS SLOT' && ! grep 'in no slot' "$work/seen" | grep -vq ' 0000fee00000-'
check $? "and all of it is in its slot"
m ept $vm --json
# Slots are 256 MiB together; what is mapped of them is not nothing, and no more than there is.
awk -F'[:,]' '/"slots"/ { s = 1 } /"ranges"/ { s = 0 } s && /"bytes"/ { b += $2 } s && /"mapped"/ { m += $2 }
	END { exit !(b == 268435456 && m > 1048576 && m <= b) }' "$work/seen"
check $? "ept --json: sizes"
m ept $vm --gpa 0x1000000
saw 'is in slot 0' && saw 'is mapped to host-physical'; check $? "where the kernel is"
m ept $vm --gpa 0xfee00020
saw 'is in no memory slot'; check $? "where the local APIC is"
m ept $vm --html "$work/inspect-ept.html"
[ "$code" -eq 0 ] && [ "$(tail -n 1 "$work/inspect-ept.html")" = "</html>" ]; check $? "ept --html"

m apic $vm
cp "$work/seen" "$work/inspect-apic"
[ "$code" -eq 0 ] && saw 'Local APIC of vCPU 1' && saw 'APIC mode' && saw '^I/O APIC at 0xfec00000' &&
	saw '0f0  spurious .*enabled'
check $? "apic"

# The end of the machine is noticed.
let_go
code=0
wait $watch || code=$?
[ "$code" -eq 1 ] && grep -q 'disk has ended' "$work/watch-told"; check $? "watch ends with the machine"
[ "$(grep -c '"changes":\[{' "$work/inspect-watch")" -ge 3 ]; check $? "having seen changes"
finish
