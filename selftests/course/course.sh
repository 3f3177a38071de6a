#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# On the lab host: types the commands of the course's chapters, one after another in one shell as
# a reader would, and compares what they print with what the chapters promise. Prints TAP.
# usage: course.sh COMMANDS     what extract.awk made of the chapters; points.sh lies beside it
set -u
list=$(realpath "$1") || exit 1
# shellcheck source=selftests/lib/points.sh
. "$(dirname "$0")/points.sh"
cd /lab || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
: >"$work/block"
tell_failure() { tail -n 60 "$work/block" | sed 's/^/# /'; }

chapter() { echo "# $1"; }

# The commands of one block share one output.
run() { # run PLACE COMMAND
	[ "$1" = "${place:-}" ] || : >"$work/block"
	place=$1
	eval "$2" >"$work/command" 2>&1 </dev/null
	code=$?
	tr -d '\r' <"$work/command" >>"$work/block"
	point $code "$1: $(echo "$2" | head -n 1)"
}

expect() { # expect PLACE REGEX
	grep -Eq -e "$2" "$work/block"
	point $? "$1: shows $2"
}

unchecked() { point 1 "$1: says what it expects"; }

# shellcheck source=/dev/null
. "$list"
end_points
