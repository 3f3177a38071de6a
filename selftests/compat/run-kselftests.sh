#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs the programs of ./kselftests.list on the lab host, one after another, each between two marks
# that the script "table" reads. A line of the list: NAME SECONDS ARGUMENT...
set -u
cd "$(dirname "$0")" || exit 1

# The programs open /dev/kvm and nothing else.
[ -e /dev/kvm ] || ln -s /dev/minikvm /dev/kvm
# Some map more than the host has, and touch little of it.
echo 1 >/proc/sys/vm/overcommit_memory
# What a program prints is shortened in the middle.
short() {
	if [ "$(wc -c <"$1")" -gt 6000 ]; then
		head -c 2000 "$1"
		printf '\n[...]\n'
		tail -c 4000 "$1"
	else
		cat "$1"
	fi
}
now() { cut -d ' ' -f 1 /proc/uptime; }
# Did a program fail for the reason that ./kselftests.races gives for it?
lost_race() {
	[ "$2" -ne 0 ] || return 1
	while IFS='	' read -r racer regex; do
		[ "$racer" != "$1" ] || ! grep -qE -e "$regex" /tmp/compat.log || return 0
	done <./kselftests.races
	return 1
}
while read -r name seconds args; do
	# The kernel's log says which program ran when it warned.
	echo "lab: running $name" >/dev/kmsg
	echo "@@COMPAT begin $name"
	begin=$(now)
	for try in 1 2 3; do
		# shellcheck disable=SC2086
		timeout -s KILL "$seconds" "./$name" $args </dev/null >/tmp/compat.log 2>&1
		status=$?
		lost_race "$name" $status || break
		echo "(run $try lost a race with itself)"
	done
	end=$(now)
	# Processes that a killed program leaves must not disturb the next.
	killall -q -KILL "$name" 2>/dev/null
	short /tmp/compat.log | tr -d '\000'
	echo
	echo "@@COMPAT end $name $status $begin $end"
done <./kselftests.list
echo "@@COMPAT done"
