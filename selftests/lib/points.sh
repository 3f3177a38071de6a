# SPDX-License-Identifier: GPL-2.0
# Owns how test scripts print points in TAP; they source it. Sets n (points so far), bad (1: one failed)
# and show (1: one failed; for whoever clears it). A script that has more to say about a failed point
# defines tell_failure after this; one that sets name has it in front of each point.
# shellcheck shell=sh
n=0 bad=0 show=0 name=''

tell_failure() { :; }

# point STATUS WHAT
point() {
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $n - ${name:+$name: }$2"; return; fi
	echo "not ok $n - ${name:+$name: }$2"
	bad=1 show=1
	tell_failure
}

# skip_point WHAT WHY
skip_point() { n=$((n + 1)); echo "ok $n - ${name:+$name: }$1 # SKIP $2"; }

# The plan, and the status to end with.
end_points() { echo "1..$n"; return $bad; }
