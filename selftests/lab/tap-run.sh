#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs the programs of ./tap.list on the lab host, or on the machine itself, one after another,
# each between two marks that tap-count reads. A line of the list: SECONDS NAME COMMAND...
# ./tap.before and ./tap.after, if there, are sourced around the whole.
set -u
cd "$(dirname "$0")" || exit 1

[ ! -f ./tap.before ] || . ./tap.before
while read -r seconds name command; do
	# The kernel's log says which program ran when it warned.
	echo "lab: running $name" >/dev/kmsg 2>/dev/null
	echo "@@TAP begin $name"
	timeout -s KILL "$seconds" sh -c "$command" </dev/null 2>&1
	status=$?
	echo
	echo "@@TAP end $name $status"
done <./tap.list
[ ! -f ./tap.after ] || . ./tap.after
echo "@@TAP done"
