#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Owns the test of lib/trace-schema.sh, which the lab's tests of `mkvm trace` rely on: it accepts a right
# file and finds each kind of mistake. TAP on stdout.
set -u
export LC_ALL=C

top=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
cd "$dir" || exit 1
# shellcheck source=selftests/lib/points.sh
. "$top/selftests/lib/points.sh"
tell_failure() { sed 's/^/# /' out; }

cat >right <<'END'
{"displayTimeUnit":"ns","traceEvents":[
{"ph":"M","name":"process_name","pid":7,"tid":7,"args":{"name":"mkvm a"}},
{"ph":"M","name":"thread_name","pid":7,"tid":8,"args":{"name":"\"dur\":x"}},
{"ph":"M","name":"thread_sort_index","pid":7,"tid":8,"args":{"sort_index":0}},
{"ph":"X","cat":"exit","name":"HLT","pid":7,"tid":8,"ts":10.089,"dur":4.912,"args":{"rip":"0x1"}},
{"ph":"X","cat":"user","name":"userspace","pid":7,"tid":8,"ts":11.000,"dur":4.001,"args":{}},
{"ph":"X","cat":"guest","name":"guest","pid":7,"tid":8,"ts":15.001,"dur":1.000,"args":{}},
{"ph":"i","cat":"event","name":"pio","pid":7,"tid":8,"ts":12.000,"s":"t","args":{"val":1}}
],"otherData":{"exits":1,"events":5,"lost":0}}
END
schema() { "$top/selftests/lib/trace-schema.sh" "$1" >out 2>&1; }
# finds WORDS SED-SCRIPT: what the script makes of the file is wrong, and is told with these words
finds() {
	sed "$2" right >wrong
	! cmp -s right wrong && ! schema wrong && grep -qF -- "$1" out
	point $? "found: $1 ($2)"
}

schema right && grep -q '^3 slices, 1 instants, 7 events$' out
point $? "a right file"
if command -v busybox >/dev/null; then
	# The awk of the lab.
	mkdir bin && ln -s "$(command -v busybox)" bin/awk
	PATH=$PWD/bin:$PATH schema right
	point $? "a right file, with busybox's awk"
else
	skip_point "a right file, with busybox's awk" "busybox is not installed"
fi
finds "no name, pid or tid" 's/"tid":8,"ts":12/"ts":12/'
finds "no name, pid or tid" 's/"name":"HLT"/"name":""/'
finds "no ts or cat" 's/"ts":10.089,//'
finds "no ts or cat" 's/"ts":10.089/"ts":-10.089/'
finds "no ts or cat" 's/"cat":"event",//'
finds "a slice without dur" 's/"dur":4.912,//'
finds "an instant without scope" 's/"s":"t",//'
finds "phase \"B\"" '0,/"ph":"X"/s//"ph":"B"/'
finds "no args" 's/,"args":{"val":1}//'
finds "unknown metadata" 's/thread_sort_index/thread_index/'
finds "track 7/8 has no name" '/"thread_name"/d'
finds "process 7 has no name" '/process_name/d'
finds "userspace\" from 11000 to 15002 ns outlasts" 's/4\.001/4.002/'
finds "no slices" '/"ph":"X"/d'
end_points
