#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs first_exit.ko, the course's first program: its guest must exit for HLT, reason 12.
# usage: first_exit.sh   in the directory of first_exit.ko, as root
set -u

. ./points.sh
tell_failure() { echo "# it said: ${said:-nothing}"; }

insmod ./first_exit.ko
point $? "it loads"
said=$(dmesg | sed -n 's/.*first_exit: //p' | tail -n 1)
[ "$said" = "exit reason 12" ]
point $? "its guest exits for HLT, and it says so"
rmmod first_exit
point $? "it unloads"
end_points
