# SPDX-License-Identifier: GPL-2.0
# Sourced by check-jobs.sh: the job that compares what both hypervisors answer to odd calls.
# shellcheck shell=bash disable=SC2154

# Thousands of wrong and odd ioctls, on stock KVM and then on minikvm. usage: calls_on NAME LAB-ARGUMENT...
calls_on() {
	local name=$1 out=$state/check/calls
	shift
	"$here/lab" --out "$out/$name" --timeout 900 --kver "$kver" --file "$top/selftests/out/compat/calls" "$@" \
		-- 'DEV=/dev/minikvm; [ -e $DEV ] || DEV=/dev/kvm; export DEV; /lab/calls >/lab/out/calls.txt' \
		>"$out/$name.log" 2>&1
}

job_calls() {
	local out=$state/check/calls status=0 differ
	rm -rf "$out"
	mkdir -p "$out"
	make -s -C "$top/selftests" out/compat/calls >"$out/build.log" 2>&1 || {
		sed 's/^/    /' "$out/build.log"
		echo "  FAIL  [calls] the program does not build"
		echo "counts 0 1 0"
		return
	}
	calls_on stock --module kvm-intel || echo "  note  [calls] stock KVM's host ended with status $?"
	calls_on minikvm --module "$module $(minikvm_params)" || status=$?
	{
		echo "@@TAP begin compat/calls"
		"$compat/compare-calls" "$compat/calls-known" "$out/stock/calls.txt" "$out/minikvm/calls.txt"
		differ=$?
		[ $status -ne 0 ] || status=$differ
		sed 's/^/# /' "$out/minikvm.log"
		echo "@@TAP end compat/calls $status"
		echo "@@TAP done"
	} >"$out/tap.log"
	echo "1 compat/calls true" >"$out/list"
	awk -f "$here/tap-count" -v lane="[calls]" -v list="$out/list" "$out/tap.log"
}
