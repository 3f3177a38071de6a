#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Breaks each rule of VM entry on the CPU, with vmcs_rules.ko, and prints what came of it.
# usage: rules.sh [EMULATOR]   in the directory of vmcs_rules.ko, as root; see rules_lax.c
set -u

insmod ./vmcs_rules.ko ${1:+"lax=$1"} || { echo "Bail out! vmcs_rules.ko does not load"; exit 1; }
cat /sys/kernel/debug/vmcs_rules
! grep -q '^not ok' /sys/kernel/debug/vmcs_rules
bad=$?
rmmod vmcs_rules || { echo "Bail out! vmcs_rules.ko does not unload"; exit 1; }
exit $bad
