# SPDX-License-Identifier: GPL-2.0
# Sourced by check-jobs.sh: the jobs that run the kernel's own KVM selftests, one for each
# hypervisor, and the comparison of the two.
# shellcheck shell=bash disable=SC2154

compat=$top/selftests/compat

# Programs that need two CPUs, or whose threads wait for a vCPU; the others run on a host with one,
# where the emulator is faster.
kselftests_smp="dirty_log_perf_test kvm_page_table_test max_guest_memory_test"
kselftests_smp="$kselftests_smp memslot_modification_stress_test rseq_test"

# NAME SECONDS ARGUMENT... of every program for a host with $1 CPUs, without those of file $2.
kselftests_list() {
	awk -v cpus="$1" -v skip="$2" -v args="$compat/kselftests.arguments" -v smp=" $kselftests_smp " '
		BEGIN {
			while (skip != "" && (getline line < skip) > 0)
				if (line !~ /^#/ && split(line, word, " "))
					without[word[1]] = 1
			while ((getline line < args) > 0) {
				if (line ~ /^#/ || !split(line, word, " "))
					continue
				how = line
				sub(/^[^ \t]+[ \t]+/, "", how)
				arguments[word[1]] = how
			}
		}
		$1 in without { next }
		(index(smp, " " $1 " ") > 0) != (cpus > 1) { next }
		{ print $1, ($1 in arguments) ? arguments[$1] : 60 }' "$programs/programs"
}

# Runs the programs in two lab hosts, with one CPU and with two; both logs go to
# $state/check/JOB/kselftests.log. Returns the status of the first host that did not end well.
# usage: run_kselftests JOB SKIP-FILE LAB-ARGUMENT...
run_kselftests() {
	local job=$1 skip=$2 dir=$work/$1 out=$state/check/$1 status=0 ret=0 name cpus
	shift 2
	rm -rf "$out"
	mkdir -p "$out"
	programs=$("$compat/build-kselftests" 2>"$out/lab.err") || return 1
	for cpus in 1 2; do
		rm -rf "$dir"
		mkdir -p "$dir"
		kselftests_list $cpus "$skip" >"$dir/kselftests.list"
		while read -r name _; do ln "$programs/$name" "$dir/"; done <"$dir/kselftests.list"
		cp "$compat/run-kselftests.sh" "$compat/kselftests.races" "$dir/"
		status=0
		"$here/lab" --out "$out/cpus-$cpus" --timeout 1200 --tree "$dir:/lab/compat" --lane vmx \
			--kver "$kver" --mem 2048 --cpus $cpus "$@" -- 'sh /lab/compat/run-kselftests.sh' \
			>>"$out/kselftests.log" 2>>"$out/lab.err" || status=$?
		# Its log of exits has a hundred megabytes.
		[ $status -ne 0 ] || rm -f "$out/cpus-$cpus/emulator.log"
		[ $ret -ne 0 ] || ret=$status
	done
	rm -rf "$dir"
	return $ret
}

# Stock KVM is the reference: how its tests end is no result of ours, that they end is.
job_compat_stock() {
	local status=0
	run_kselftests compat-stock "$compat/kselftests.stock-hangs" --module kvm-intel || status=$?
	touch "$work/compat-stock.done"
	if [ "$(grep -c '^@@COMPAT done' "$state/check/compat-stock/kselftests.log" 2>/dev/null)" = 2 ]; then
		[ $status -eq 0 ] || echo "  note  [compat-stock] the lab ended with status $status:" \
			"$(head -n 3 "$state/check/compat-stock/lab.err")"
		echo "  pass  [compat-stock] the kernel's KVM selftests ran on stock KVM"
		echo "counts 1 0 0"
	else
		echo "  FAIL  [compat-stock] the run on stock KVM ended with status $status"
		sed 's/^/    /' "$state/check/compat-stock/lab.err"
		echo "counts 0 1 0"
	fi
}

# Mini-KVM, and the comparison with the stock run of this check, or else with the last one.
job_compat_minikvm() {
	local status=0 waited=0 out=$state/check/compat-minikvm p f s
	run_kselftests compat-minikvm "" --module "$module $(minikvm_params)" || status=$?
	case " ${wanted[*]} " in
	*" compat-stock "*)
		while [ ! -e "$work/compat-stock.done" ] && [ $waited -lt 1800 ]; do
			sleep 1
			waited=$((waited + 1))
		done ;;
	esac
	"$compat/table" "$programs/programs" "$state/check/compat-stock/kselftests.log" \
		"$out/kselftests.log" >"$out/table"
	grep -v '^counts ' "$out/table"
	read -r _ p f s < <(grep '^counts ' "$out/table")
	if [ $status -eq 0 ]; then
		p=$((p + 1))
		echo "  pass  [compat-minikvm] the host's kernel log is clean and the run ended well"
	else
		f=$((f + 1))
		echo "  FAIL  [compat-minikvm] the run ended with status $status"
		sed 's/^/    /' "$out/lab.err"
	fi
	echo "counts $p $f $s"
}
