# SPDX-License-Identifier: GPL-2.0
# Turns chapters of the course into calls of course.sh: each command of a "console" block, then
# what the comments ".. expect: REGEX" behind the block say of its output.
# A command begins with "# " and goes on while a line ends in a backslash; other lines of the
# block are what the reader sees, and not compared.

function quoted(s) {
	gsub(/'/, "'\\''", s)
	return "'" s "'"
}

function leave_block() {
	if (place != "" && !expectations)
		print "unchecked " quoted(place)
	place = ""
}

function flush_command() {
	if (command != "")
		print "run " quoted(place) " " quoted(command)
	command = ""
}

FNR == 1 {
	flush_command()
	leave_block()
	inside = 0
	print "chapter " quoted(FILENAME)
}

/^\.\. code-block:: console$/ {
	leave_block()
	inside = 1
	indent = ""
	expectations = 0
	place = FILENAME ":" FNR
	next
}

inside && /^[^ \t]/ {
	flush_command()
	inside = 0
}

inside && indent == "" && /^ +[^ ]/ {
	match($0, /^ +/)
	indent = substr($0, 1, RLENGTH)
}

inside && command ~ /\\$/ {
	command = command "\n" substr($0, length(indent) + 1)
	next
}

inside && substr($0, 1, length(indent) + 2) == indent "# " {
	flush_command()
	command = substr($0, length(indent) + 3)
	next
}

/^\.\. expect: / {
	print "expect " quoted(place) " " quoted(substr($0, 12))
	expectations++
}

END {
	flush_command()
	leave_block()
}
