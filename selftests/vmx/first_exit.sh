#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs first_exit.ko, the course's first program: its guest must exit for HLT, reason 12.
# usage: first_exit.sh   in the directory of first_exit.ko, as root
set -u

n=0 bad=0
point() {
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi
}

insmod ./first_exit.ko
point $? "it loads"
said=$(dmesg | sed -n 's/.*first_exit: //p' | tail -n 1)
[ "$said" = "exit reason 12" ]
point $? "its guest exits for HLT, and it says so"
[ "$bad" -eq 0 ] || echo "# it said: $said"
rmmod first_exit
point $? "it unloads"
echo "1..$n"
exit $bad
