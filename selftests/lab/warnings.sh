# SPDX-License-Identifier: GPL-2.0
# Sourced: which lines of a kernel log mean a bug, ours or the host's.
# shellcheck shell=bash

warning_re='WARNING: |BUG: |BUG at |Oops|general protection fault[,:]|Kernel panic'
warning_re+='|rcu:.*(stall|starved)|INFO: (rcu|task .* blocked)|unchecked MSR'
warning_re+='|KASAN|UBSAN|KCSAN|kmemleak|DEADLOCK|(possible|suspicious|inconsistent) .*(lock|RCU|usage)'
warning_re+='|LOCKUP|soft lockup|double fault|while atomic|invalid context|refcount_t:'
warning_re+='|list_(add|del) corruption|nobody cared|unregister_netdevice: waiting'

# Prints the lines of log $1 that mean a bug and that no regular expression of the array
# "allowed" matches, each after the note of the program that ran when it appeared.
kernel_warnings() {
	local re
	[ -f "$1" ] || return 0
	for re in ${allowed[@]+"${allowed[@]}"}; do set -- "$@" -e "$re"; done
	if [ $# -gt 1 ]; then
		grep -aEv "${@:2}" "$1" || true
	else
		cat "$1"
	fi | awk -v re="$warning_re" '
		/lab: running / { sub(/.*lab: /, ""); prog = " (" $0 ")"; next }
		$0 ~ re { print $0 prog }'
}
