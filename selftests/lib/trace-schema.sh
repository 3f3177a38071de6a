#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Owns the check that a file of `mkvm trace -o` keeps to the Trace Event Format (Google, "Trace Event
# Format", sections "JSON Object Format" to "Metadata Events"), as chrome://tracing and Perfetto read it:
# the keys that each phase requires, slices of a track that nest, a name for each track and process.
# That the file is JSON at all is seen by whoever calls this. Says what is wrong; status 1 if anything is.
# usage: trace-schema.sh FILE     mkvm writes an event a line, its "args" last
set -u
LC_ALL=C
export LC_ALL
slices=$(mktemp) || exit 1
trap 'rm -f "$slices"' EXIT

awk -v slices="$slices" '
function wrong(why) { if (bad++ < 10) print FILENAME ":" FNR ": " why ": " substr($0, 1, 160) }
# The value of a key of the event itself; "" if it has none.
function value(key) {
	if (!match(head, "\"" key "\":(\"[^\"]*\"|-?[0-9.]+)")) return ""
	return substr(head, RSTART + length(key) + 3, RLENGTH - length(key) - 3)
}
function number(key) { return value(key) ~ /^[0-9]+(\.[0-9]+)?$/ }
function text(key) { return value(key) ~ /^".+"$/ }

!/^[{]"ph":/ { next }
{
	events++
	# Names of threads and symbols are the machine\047s: not taken for keys.
	at = index($0, ",\"args\":{")
	if (!at || $0 !~ /[}][}],?$/) wrong("no args")
	head = substr($0, 1, at)
	args = substr($0, at)
	ph = value("ph"); pid = value("pid"); tid = value("tid")
	if (!text("name") || !number("pid") || !number("tid")) wrong("no name, pid or tid")
	if (ph == "\"M\"") {
		if (head ~ /"name":"(process|thread)_name"/) {
			if (args !~ /"args":[{]"name":".+"[}]/) wrong("a name that is none")
			if (head ~ /"name":"process_name"/) process[pid] = 1; else named[pid "/" tid] = 1
		} else if (head !~ /"name":"thread_sort_index"/ || args !~ /"args":[{]"sort_index":-?[0-9]+[}]/)
			wrong("unknown metadata")
		next
	}
	used[pid "/" tid] = pid
	if (!number("ts") || !text("cat")) wrong("no ts or cat")
	if (ph == "\"i\"") { if (value("s") !~ /^"[gpt]"$/) wrong("an instant without scope"); instants++ }
	else if (ph != "\"X\"") wrong("phase " ph)
	else if (!number("dur")) wrong("a slice without dur")
	else {
		complete++
		# In nanoseconds, which are whole: a sum of floating-point microseconds is not exact.
		split(value("ts") ".000", ts, "."); split(value("dur") ".000", dur, ".")
		# To busybox awk, 089 would be octal.
		start = ts[1] * 1000 + (1 ts[2]) - 1000
		printf "%s/%s %.0f %.0f %s\n", pid, tid, start, start + dur[1] * 1000 + (1 dur[2]) - 1000, value("name") >slices
	}
}
END {
	for (track in used) {
		if (!(track in named)) { print "track " track " has no name"; bad++ }
		if (!(used[track] in process)) { print "process " used[track] " has no name"; bad++ }
	}
	if (!complete) { print "no slices"; bad++ }
	print complete + 0 " slices, " instants + 0 " instants, " events + 0 " events"
	exit bad > 0
}' "$1" || exit 1

sort -k1,1 -k2,2n -k3,3nr "$slices" | awk '
$1 != track { track = $1; depth = 0 }
{
	while (depth && end[depth] <= $2) depth--
	if (depth && $3 > end[depth]) {
		if (bad++ < 10) print "track " $1 ": " $4 " from " $2 " to " $3 " ns outlasts " name[depth] ", to " end[depth]
	}
	end[++depth] = $3; name[depth] = $4
}
END { exit bad > 0 }'
