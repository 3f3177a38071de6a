# SPDX-License-Identifier: GPL-2.0
# Writes sdm-map.rst, for make-sdm-map: which code follows which section of Intel's manual. The sections and
# their order are in sdm-sections; the code says in its comments what it follows:
#
#	Source: Intel SDM vol. 3C (December 2023), "Title", "Title"; vol. 4, "Title".
#	SDM: "Title", "Title".
#
# up to the end of the paragraph. The comment that opens a file speaks for the file, one in front of a
# function, a table or a macro for that, one within a function for the function. A title that sdm-sections
# lacks goes to the end of the page.

function trim(s) { gsub(/^[ \t]+|[ \t]+$/, "", s); return s }

function basename(name) { sub(/^.*module\//, "", name); return name }

# Code @owner ("" is the whole file) follows section @title.
function follow(title, owner,    file, key) {
	file = basename(FILENAME)
	if (!(title in known)) {
		known[title] = 1
		order[++sections] = title
		if (!others++) headings[sections] = "Other sections"
	}
	key = title SUBSEP file
	if (!(key in files)) {
		files[key] = ""
		if (title in places) places[title] = places[title] SUBSEP file
		else places[title] = file
	}
	if (owner != "" && index(", " files[key] ", ", ", " owner ", ") == 0)
		files[key] = files[key] (files[key] != "" ? ", " : "") owner
}

# The titles that a comment names: quoted, behind the mark, in each part that is about the manual.
function read_comment(text, owner,    n, i, j, m, paragraphs, parts, rest) {
	n = split(text, paragraphs, "\n\n")
	for (i = 1; i <= n; i++) {
		if (!match(paragraphs[i], /(^|[^A-Za-z])(Source: Intel SDM|SDM: ")/)) continue
		rest = substr(paragraphs[i], RSTART)
		m = split(rest, parts, ";")
		for (j = 1; j <= m; j++) {
			rest = parts[j]
			if (j > 1 && rest !~ /^[ \n]*vol\. /) break
			gsub(/\n/, " ", rest)
			while (match(rest, /"[^"]+"/)) {
				follow(substr(rest, RSTART + 1, RLENGTH - 2), owner)
				rest = substr(rest, RSTART + RLENGTH)
			}
		}
	}
}

# What a declaration declares.
function declared(text,    name) {
	gsub(/__(ro_after_init|read_mostly|always_inline|init|exit) /, "", text)
	if (match(text, /^#define[ \t]+[A-Za-z0-9_]+/))
		return quoted(substr(text, 9, RLENGTH - 8))
	if (match(text, /^(SYM_[A-Z_]+|[A-Z][A-Z0-9_]+)\([a-z0-9_]+/)) {
		name = substr(text, 1, RLENGTH)
		sub(/^SYM_[A-Z_]*\(/, "", name)
		return quoted(index(name, "(") ? name ")" : name)
	}
	if (match(text, /\(\*(const )?[a-z0-9_]+/)) {
		name = substr(text, RSTART, RLENGTH)
		sub(/.*[ *]/, "", name)
		return quoted(name)
	}
	if (match(text, /[A-Za-z0-9_]+[ \t]*(\(|\[|=)/)) {
		name = substr(text, RSTART, RLENGTH)
		text = substr(name, length(name))
		sub(/[ \t]*.$/, "", name)
		return quoted(name (text == "(" ? "()" : ""))
	}
	if (match(text, /(struct|union|enum) [a-z0-9_]+/))
		return quoted(substr(text, RSTART, RLENGTH))
	return ""
}

function quoted(name) { return "``" trim(name) "``" }

function end_comment() {
	if (comment ~ /SPDX-/) return
	if (indented) read_comment(comment, in_function)
	else if (first) read_comment(comment, "")
	else waiting = waiting "\n\n" comment
	first = 0
}

# Lines of at most 100 columns.
function fold(text, indent,    n, i, words, line) {
	n = split(text, words, " ")
	line = indent
	for (i = 1; i <= n; i++) {
		if (length(line) + length(words[i]) + 1 > 100) {
			print line
			line = indent
		}
		line = line (line == indent ? "" : " ") words[i]
	}
	print line
}

# A heading, a blank line around it.
function underline(text, with) { print text; gsub(/./, with, text); print text; print "" }

# ---- sdm-sections
FILENAME != current { current = FILENAME; nr_files++; first = 1; waiting = ""; in_comment = 0; in_function = "" }
nr_files == 1 {
	if (/^#/ || !NF) next
	if (/^[=-] /) { pending_heading = pending_heading $0 "\n"; next }
	known[$0] = 1
	order[++sections] = $0
	if (pending_heading != "") { headings[sections] = pending_heading; pending_heading = "" }
	next
}

# ---- sources
!in_comment && /^[ \t]*\/\*/ { in_comment = 1; comment = ""; indented = /^[ \t]/ }
in_comment {
	line = $0
	ends = sub(/\*\/.*$/, "", line)
	sub(/^[ \t]*(\/\*+|\*)?[ \t]?/, "", line)
	comment = comment trim(line) "\n"
	if (ends) { in_comment = 0; end_comment() }
	next
}
/^(static |const |struct |enum |union |[a-z].*\(|#define |[A-Z][A-Z0-9_]+\()/ {
	owner = declared($0)
	if (owner ~ /\(\)``$/) in_function = owner
	# A type on a line of its own: the name follows.
	if (owner == "") next
	if (waiting != "") { read_comment(waiting, owner); waiting = "" }
}
/^[};]/ { waiting = "" }

END {
	print ".. SPDX-License-Identifier: GPL-2.0"
	print ".. Made by make-sdm-map from the comments of the code: `make sdm-map`."
	print ""
	print "==========================="
	underline("From the manual to the code", "=")
	fold("Where the module does what Intel's manual describes. Titles are those of the *Intel 64 and IA-32" \
	     " Architectures Software Developer's Manual* of December 2023; section numbers move with every edition," \
	     " titles hardly ever do. Paths are below ``module/``. The other direction is in the code: what follows" \
	     " a rule of the manual names its section in the comment in front, from which this page is made.", "")
	for (i = 1; i <= sections; i++) {
		if (i in headings) print_headings(headings[i])
		if (!(order[i] in places)) continue
		n = split(places[order[i]], list, SUBSEP)
		text = ""
		for (j = 1; j <= n; j++) {
			names = files[order[i], list[j]]
			text = text (j > 1 ? ", " : "") (names != "" ? names " (" list[j] ")" : list[j])
		}
		print order[i]
		fold(text, "    ")
	}
}

function print_headings(text,    n, i, lines) {
	if (text == "Other sections") { print ""; underline(text, "="); return }
	n = split(text, lines, "\n")
	print ""
	for (i = 1; i < n; i++) {
		underline(substr(lines[i], 3), substr(lines[i], 1, 1))
	}
}
