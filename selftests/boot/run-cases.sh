#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs the cases of cases.cfg with mkvm on the lab host or the machine itself and prints TAP. Beside it lie
# mkvm, guest-vmlinuz, guest-initramfs and guest-root.img. usage: [ACCEL=kvm] run-cases.sh [CASE...]
set -u
cd "$(dirname "$0")" || exit 1
accel=${ACCEL:-minikvm}
work=$(mktemp -d) || exit 1
trap 'umount "$work/small" 2>/dev/null; rm -rf "$work"' EXIT
export MKVM_RUNTIME_DIR="$work/mkvm"
. ./points.sh

new_case() { name=$1 smp=1 options='' append='' script='' host='' want_exit=0 want_told=0 show=0; : >"$work/expect"; }

# Boots the guest of the case; sets code and told.
boot() {
	mkdir -p "$work/more"
	cp "$script" "$work/more/run-cmd"
	{ cat guest-initramfs; (cd "$work/more" && echo run-cmd | cpio -o -H newc 2>/dev/null); } >"$work/initrd"
	code=0
	rm -f "$work/status"
	[ -z "$host" ] || ACCEL=$accel sh "./$host" prepare "$work"
	[ -z "$host" ] || ACCEL=$accel sh "./$host" meanwhile "$work" >"$work/host.log" 2>&1 &
	# shellcheck disable=SC2086
	timeout -s KILL 600 ./mkvm run --accel "$accel" -m 256 -smp "$smp" -kernel ./guest-vmlinuz \
		-initrd "$work/initrd" -append "console=ttyS0,115200 loglevel=5 cryptomgr.notests $append" \
		-drive "file=$work/root.img,format=raw,if=virtio" -drive "file=$work/data.img,format=raw,if=virtio" \
		-serial "file:$work/console-$name" -serial "file:$work/status" -nographic $options \
		</dev/null >"$work/mkvm.log" 2>&1 || code=$?
	told=$(sed -n 's/^status \([0-9]*\).*/\1/p' "$work/status" 2>/dev/null | head -n 1)
	[ -z "$host" ] || wait
	[ ! -d /lab/out ] || cp "$work/console-$name" "/lab/out/"
}

matched() { grep -oE "$1" "$work/console-$2" | tail -n 1 | tr -d '\r' | sed 's/.*=//'; }

check_line() {
	word=$1
	shift
	case "$word" in
	expect)
		grep -qE "$*" "$work/console-$name"; point $? "the console shows '$*'" ;;
	sum)
		./mkvm img convert -q "$work/$2" "$work/raw"
		want=$(head -c "$3" "$work/raw" | sha256sum | cut -c1-64)
		[ "$(matched "$1" "$name")" = "$want" ]; point $? "the host finds in $2 what the guest wrote" ;;
	sound)
		./mkvm img check -q "$work/$1" >/dev/null; point $? "$1 has no errors and no leaks" ;;
	says)
		grep -qE "$*" "$work/mkvm.log"; point $? "mkvm says '$*'" ;;
	saw)
		grep -qE "$*" "$work/host.log"; point $? "the host has seen '$*'" ;;
	again)
		[ -n "$(matched 'sum=[0-9a-f]{64}' "$2")" ] &&
			[ "$(matched 'sum=[0-9a-f]{64}' "$name")" = "$(matched 'sum=[0-9a-f]{64}' "$2")" ]
		point $? "the file written before survived and matches" ;;
	esac
}

run_case() {
	[ -n "$name" ] || return 0
	case " $wanted " in "  "|*" $name "*) ;; *) return 0 ;; esac
	boot
	[ "$code" -eq "$want_exit" ]; point $? "mkvm ends with $want_exit"
	[ "${told:-none}" = "$want_told" ]; point $? "the status told is $want_told"
	! grep -qE 'Call Trace|BUG:|Oops|stall' "$work/console-$name"; point $? "the guest's kernel is content"
	while read -r line; do
		# shellcheck disable=SC2086
		set -f; check_line $line; set +f
	done <"$work/expect"
	[ "$show" -eq 1 ] || return 0
	echo "# mkvm ended with $code, the guest told '${told:-nothing}'"
	sed 's/^/# mkvm: /' "$work/mkvm.log"
	[ -z "$host" ] || sed 's/^/# host: /' "$work/host.log"
	tail -n 25 "$work/console-$name" | tr -d '\r' | sed 's/^/# /'
}

wanted="$*"
name=''
cp guest-root.img "$work/root.img"
dd if=/dev/zero of="$work/data.img" bs=1M count=8 2>/dev/null
dd if=/dev/zero of="$work/extra.img" bs=1M count=0 seek=32 2>/dev/null
./mkvm img create -q -f vdi "$work/extra.vdi" 32M || exit 1
./mkvm img create -q -f qcow2 -o cluster_size=4k -b "$PWD/guest-root.img" -F raw "$work/extra.qcow2" || exit 1
while read -r word rest <&3; do
	case "$word" in
	''|'#'*) ;;
	case) run_case; new_case "$rest" ;;
	smp) smp=$rest ;;
	option) options="$options $(echo "$rest" | sed "s|@|$work/|g")" ;;
	append) append="$append $rest" ;;
	script) script=$rest ;;
	host) host=$rest ;;
	exit) want_exit=$rest ;;
	told) want_told=$rest ;;
	expect|says|saw|sum|sound|again) printf '%s\n' "$word $rest" >>"$work/expect" ;;
	*) echo "Bail out! cases.cfg: unknown word '$word'"; exit 1 ;;
	esac
done 3<cases.cfg
run_case
end_points
