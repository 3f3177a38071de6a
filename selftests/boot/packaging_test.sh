#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Owns the tests of what surrounds mkvm: `make install` and `make uninstall`, bash completion, the
# man pages, and that none of them has gone stale. TAP on stdout.
# MKVM: the binary to test.
set -u
export LC_ALL=C

top=$(cd "$(dirname "$0")/../.." && pwd)
mkvm=${MKVM:-$top/userspace/mkvm}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM

# shellcheck source=selftests/lib/points.sh
. "$top/selftests/lib/points.sh"
tell_failure() { head -n 20 "$dir/log" | sed 's/^/# /'; }
: >"$dir/log"

# ---- install and uninstall ----

pack() { env DESTDIR="$dir/root" prefix=/usr "$top/packaging/install" "$@" >"$dir/log" 2>&1; }
tree() { (cd "$dir/root" && find . ! -type d | LC_ALL=C sort); }

mkdir -p "$dir/root/usr/src" "$dir/root/usr/share/doc/minikvm"
echo mine >"$dir/root/usr/share/doc/minikvm/notes"
tree >"$dir/before"
pack install all
point $? "everything installs"
tree >"$dir/installed"
"$dir/root/usr/bin/mkvm" --version >"$dir/log" 2>&1
point $? "the installed mkvm runs"
version=$(cat "$top/VERSION")
grep -q "^PACKAGE_VERSION=\"$version\"" "$dir/root/usr/src/minikvm-$version/dkms.conf" &&
	[ "$("$mkvm" --version)" = "mkvm $version" ]
point $? "version $version is that of the program and of the DKMS package"
(cd "$top" && find module uapi -name '*.[chS]' ! -name '*.mod.c' | sort) >"$dir/want"
(cd "$dir/root/usr/src/minikvm-$version" && find module uapi -type f | sort) >"$dir/have"
diff "$dir/want" "$dir/have" >"$dir/log"
point $? "the module's source is complete"
pack install all && tree | diff "$dir/installed" - >"$dir/log"
point $? "installing twice is installing once"
pack uninstall all && tree | diff "$dir/before" - >"$dir/log"
point $? "uninstalling removes each file, and no file of others"
[ ! -e "$dir/root/usr/src/minikvm-$version" ]
point $? "the source directory goes, too"
pack uninstall all
point $? "uninstalling what is not there is no error"
! pack install some && grep -q "'some'" "$dir/log"
point $? "an unknown part is refused by name"

# ---- completion ----

# The program's own table of options, read from its source.
sed -n '/run_options\[\] = {/,/^};/{
	/^	REFUSE/d
	s/^	{ \.name = "\([A-Za-z0-9-]*\)".*/\1/p
	s/^	[A-Z_]*("\([A-Za-z0-9-]*\)".*/\1/p
}' "$top/userspace/config.c" | sort >"$dir/table"
"$mkvm" help options | awk '{ print $1 }' | sort >"$dir/told"
diff "$dir/table" "$dir/told" >"$dir/log" && [ "$(wc -l <"$dir/table")" -gt 10 ]
point $? "'mkvm help options' lists the option table"

# What bash offers for the last word of a command line.
offered() { # offered WORD...
	PATH="$(dirname "$mkvm"):$PATH" bash --norc -c '
		cd "$1" || exit; shift
		. /usr/share/bash-completion/bash_completion
		. "$1"; shift
		COMP_WORDS=("$@")
		COMP_CWORD=$(($# - 1))
		COMP_LINE="$*"
		COMP_POINT=${#COMP_LINE}
		compopt() { :; }
		_mkvm
		printf "%s\n" "${COMPREPLY[@]}"' - "$dir" "$top/packaging/mkvm.bash-completion" "$@" \
		2>"$dir/log" | sort
}
offers() { # offers NAME EXPECTED WORD...
	local what=$1
	printf '%s\n' $2 | sort >"$dir/want"
	shift 2
	offered "$@" >"$dir/have"
	diff "$dir/want" "$dir/have" >>"$dir/log"
	point $? "$what"
}
if [ -r /usr/share/bash-completion/bash_completion ]; then
	offered mkvm run - >"$dir/have"
	sed 's/^/-/' "$dir/table" | diff - "$dir/have" >"$dir/log"
	point $? "completion offers exactly the options of 'mkvm run'"
	offered mkvm run -- >"$dir/have"
	sed 's/^/--/' "$dir/table" | diff - "$dir/have" >"$dir/log"
	point $? "with two dashes, too"
	offered mkvm "" >"$dir/have"
	sed -n '/^} commands\[\]/,/^};/p' "$top/userspace/main.c" | grep -oE '\{ "[a-z-]+"' |
		tr -d '{ "' >"$dir/want"
	printf 'help\nversion\n' >>"$dir/want"
	sort "$dir/want" | diff - "$dir/have" >"$dir/log"
	point $? "and exactly the commands of mkvm"
	: >"$dir/kernel-1"; : >"$dir/kernel-2"; mkdir "$dir/kernels"
	# What each command of img takes, by its call of getopt, against what is offered.
	for command in create info check convert compare resize snapshot; do
		{
			grep -o 'img_getopt(argc, argv, "[^"]*"' "$top/userspace/img/$command.c" |
				sed 's/.*":*\([^"]*\)"/\1/' | tr -d ':h' | sed 's/./-&\n/g' | grep .
			sed -n 's/^	{ "\([a-z-]*\)", .*/--\1/p' "$top/userspace/img/$command.c" | grep -v -- '--help'
		} | sort -u >"$dir/want"
		offered mkvm img $command - >"$dir/have"
		[ -s "$dir/have" ] && comm -13 "$dir/want" "$dir/have" >"$dir/log" && [ ! -s "$dir/log" ]
		point $? "'mkvm img $command': completion offers no option that does not exist"
	done
	offered mkvm img "" >"$dir/have"
	grep -oE '\{ "[a-z]+", img_' "$top/userspace/img/img.c" | grep -oE '[a-z]+"' | tr -d '"' | sort |
		comm -23 - "$dir/have" >"$dir/log"
	[ ! -s "$dir/log" ]
	point $? "and every command of img"
	offers "what can be done to a network" "down help list up" mkvm net ""
	offers "and how" "--no-dhcp --subnet" mkvm net up -
	sed -n '/^static const struct option options/,/^};/s/^	{ "\([a-z-]*\)", .*/--\1/p' \
		"$top/userspace/compare/cmd_compare.c" | sort >"$dir/want"
	offered mkvm compare -- >"$dir/have"
	[ -s "$dir/want" ] && diff "$dir/want" "$dir/have" >"$dir/log"
	point $? "completion offers exactly the options of 'mkvm compare'"
	grep -oE '^\.B[IR]? .*\\-\\-[a-z\-]+' "$top/Documentation/mkvm-compare.1" | grep -oE '\\-\\-[a-z\-]+' |
		tr -d '\\' | sort -u | diff "$dir/want" - >"$dir/log"
	point $? "and its man page describes exactly them"
	offers "benchmarks" "mmio_read mmio_write" mkvm compare --bench mmio
	offers "formats of images" "qcow2 raw vdi vmdk vpc" mkvm img convert -O ""
	offers "an image to convert" "kernel-1 kernel-2 kernels" mkvm img convert -O raw kern
	offers "a file where one is wanted" "kernel-1 kernel-2 kernels" mkvm run -kernel kern
	offers "behind file= as well" "file=kernel-1 file=kernel-2 file=kernels" mkvm run -drive file=kern
	offers "words where words are wanted" "kvm minikvm" mkvm run -accel ""
	offers "nothing for a number" "" mkvm run -m ""
	offers "options again after a value" "-kernel" mkvm run -m 512 -ker
else
	skip_point "completion" "bash-completion is not installed"
fi

# ---- man pages ----

for page in "$top"/Documentation/*.[1-8]; do
	what=$(basename "$page")
	if command -v man >/dev/null; then
		LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" \
			2>"$dir/log" >/dev/null
		[ ! -s "$dir/log" ]
		point $? "$what has no mistake that man warns of"
	else
		skip_point "$what has no mistake that man warns of" "man-db is not installed"
	fi
	if command -v mandoc >/dev/null; then
		mandoc -T lint -W warning "$page" >"$dir/log" 2>&1
		point $? "nor one that mandoc warns of"
	else
		skip_point "nor one that mandoc warns of" "mandoc is not installed"
	fi
done
# The options the page describes in headings of tagged paragraphs, and those it names in bold.
options_in() {
	grep -v '^\.I' | grep -oE '(^| |"|, )(\\-)[A-Za-z][A-Za-z\\-]*' | tr -d ' ",\\' | sed 's/^-*//' | sort -u
}
awk '/^\.TP/ { tag = 1; next } tag { print; tag = 0 }' "$top/Documentation/mkvm.1" |
	options_in >"$dir/described"
grep '^\.B' "$top/Documentation/mkvm.1" | options_in >"$dir/named"
grep -oE '(^|[ ,])--?[A-Za-z][A-Za-z-]*' <("$mkvm" run -help) | tr -d ' ,' | sed 's/^-*//' | sort -u >"$dir/helped"
comm -23 "$dir/helped" "$dir/table" >"$dir/log"
[ -s "$dir/helped" ] && [ ! -s "$dir/log" ]
point $? "the help names no option that does not exist"
comm -23 "$dir/table" "$dir/named" >"$dir/log"
[ ! -s "$dir/log" ]
point $? "mkvm.1 describes every option"
comm -13 "$dir/table" "$dir/described" >"$dir/log"
[ ! -s "$dir/log" ]
point $? "and no other"

end_points
