# SPDX-License-Identifier: GPL-2.0
# Sourced by check: what runs where. A job prints a report and last "counts P F S".
# shellcheck shell=bash disable=SC2154

. "$top/selftests/compat/jobs.sh"
. "$top/selftests/compat/qemu-jobs.sh"
. "$top/selftests/compat/calls-jobs.sh"

# The longest first: two run side by side; compat-minikvm waits for compat-stock.
jobs_of_lane() {
	case "$lane" in
	native) echo "minikvm-smp boot stock fuzz packages" ;;
	*) echo "qemu qemu-stock compat-stock compat-minikvm boot debian course minikvm-smp minikvm stock net minikvm-newer calls boot-stock net-stock lab fuzz packages" ;;
	esac
}

# Builds what all jobs use; says why when it cannot.
prepare_jobs() {
	if [ "$lane" = native ]; then kver=$(uname -r); else kver=$(stock_kernel) || return 1; fi
	module=$("$here/build-module" "$kver") || return 1
	vmx_modules=$("$here/build-module" "$kver" --tests) || return 1
	make -s -C "$top/userspace" || { echo "  FAIL  userspace does not build"; return 1; }
	# One program that does not build must not keep the others from running.
	make -s -k -C "$top/selftests" api guest >"$work/selftests.log" 2>&1 || grep -E 'error:|Error' "$work/selftests.log"
	{ read -r guest_initramfs; read -r guest_root; } < <("$here/guest-image" "$kver") || return 1
}

programs_of() { make -s -C "$top/selftests" "list-$1" | grep -v '_bench$'; }

# Writes a tap.list of all programs of the folders to $1; $2 is a prefix for their commands.
tap_list() {
	local file=$1 prefix=$2 dir prog
	shift 2
	for dir in "$@"; do
		for prog in $(programs_of "$dir"); do
			echo "$(seconds_of "$prog") $prog $prefix./$prog"
		done
	done >"$file"
}

# How long a program may run, in the lab's seconds.
seconds_of() { awk -v name="$1" '$1 == name { s = $2 } END { print s ? s : 60 }' "$here/timeouts"; }

# Programs that cannot run on stock KVM in the lab, with the reason.
without_stock_hangs() {
	awk 'NR == FNR { if ($1 !~ /^#/ && NF) skip[$1] = 1; next } !($2 in skip)' "$here/stock-hangs" -
}

# Runs a tap directory in the lab or natively and prints its report.
# usage: run_tap JOB DIRECTORY SECONDS LAB-ARGUMENT...
run_tap() {
	local job=$1 dir=$2 limit=$3 status=0 out=$state/check/$1
	shift 3
	rm -rf "$out"
	mkdir -p "$out"
	cp "$here/tap-run.sh" "$dir/"
	if [ "$lane" = native ]; then
		run_tap_native "$dir" "$out" || status=$?
	else
		"$here/lab" --out "$out" --timeout "$limit" --tree "$dir:/lab/tap" "$@" \
			-- 'sh /lab/tap/tap-run.sh' >"$out/tap.log" 2>"$out/lab.err" || status=$?
	fi
	awk -f "$here/tap-count" -v lane="[$job]" -v list="$dir/tap.list" "$out/tap.log" >"$out/report"
	if [ $status -eq 0 ]; then
		awk '$1 == "counts" { $2++ } { print }' "$out/report" |
			sed "/^counts/i\\  pass  [$job] the host's kernel log is clean and the run ended well"
	else
		awk -v s=$status -v job="$job" '
			$1 == "counts" { $3++; print "  FAIL  [" job "] the run ended with status " s }
			{ print }' "$out/report" | sed "/^counts/e sed 's/^/    /' '$out/lab.err'"
	fi
}

# The same on this machine: loads $native_module (a file or a name), runs, unloads, reads dmesg.
run_tap_native() {
	local status=0 before name
	name=$(basename "$native_module" .ko)
	before=$(dmesg | wc -l)
	if grep -q "^${name//-/_} " /proc/modules; then
		echo "$name is loaded already: unload it first" >"$2/lab.err"
		return 1
	fi
	if [ -f "$native_module" ]; then
		insmod "$native_module" 2>"$2/lab.err" || return 1
	else
		modprobe "$native_module" 2>"$2/lab.err" || return 1
	fi
	(cd "$1" && sh ./tap-run.sh) >"$2/tap.log" 2>"$2/lab.err" || status=$?
	rmmod "$name" 2>>"$2/lab.err" || status=1
	dmesg | tail -n +"$((before + 1))" >"$2/dmesg"
	. "$here/warnings.sh"
	allowed=()
	kernel_warnings "$2/dmesg" >>"$2/lab.err"
	[ ! -s "$2/lab.err" ] || status=125
	return $status
}

stage_programs() {
	local dir=$1 name
	shift
	mkdir -p "$dir"
	for name in "$@"; do
		mkdir -p "$dir/$name"
		find "$top/selftests/out/$name" -maxdepth 1 -type f -perm -100 -exec cp {} "$dir/$name/" \;
	done
}

minikvm_params() { sed 's/#.*//' "$here/module-params" | tr '\n' ' '; }

# What uses a local APIC once more, with the CPU virtualizing it: off by default in the lab (apicv.c).
again_with_apicv() {
	local prog
	echo "60 lab/apicv rmmod minikvm && insmod ./$(basename "$module") $(minikvm_params) apicv=1 && echo 'ok 1 - loaded' && echo 1..1"
	for prog in $again_list; do echo "$(seconds_of "$prog") $prog@apicv ./$prog"; done
}

# Adds the modules of selftests/vmx to a directory; they are VMX's users while no VM exists.
stage_vmx() {
	local emulator=bochs
	[ "$lane" != native ] || emulator=
	cp "$vmx_modules"/*.ko "$top"/selftests/vmx/*.sh "$top/selftests/lib/points.sh" "$1/"
	echo "60 vmx/first_exit sh ./first_exit.sh" >>"$1/tap.list"
	echo "60 vmx/rules sh ./rules.sh $emulator" >>"$1/tap.list"
}

# All programs on minikvm, then its unloading. usage: programs_on_minikvm JOB SECONDS LAB-ARGUMENT...
programs_on_minikvm() {
	local job=$1 limit=$2 dir=$work/$1 again_list=${again_list:-}
	shift 2
	stage_programs "$dir" api guest
	tap_list "$dir/tap.list" "" api guest
	stage_vmx "$dir"
	cp "$here/unload.sh" "$module" "$dir/"
	echo "60 lab/unload sh ./unload.sh" >>"$dir/tap.list"
	[ -z "$again_list" ] || again_with_apicv >>"$dir/tap.list"
	# Both modules are away then.
	[ -z "${with_compare:-}" ] || stage_compare "$dir" 300 swap "./$(basename "$module")"
	native_module=$module
	run_tap "$job" "$dir" "$limit" --lane "$lane" --kver "$kver" --mem 1280 "$@" \
		--module "$module $(minikvm_params)" --ship-module kvm-intel
}

# What `mkvm compare` needs, and its test in a tap.list. usage: stage_compare DIR SECONDS ARGUMENT...
stage_compare() {
	local dir=$1 limit=$2
	shift 2
	make -s -C "$top/selftests" bench
	"$top/selftests/boot/tiny/build" "$dir"
	cp "$top"/selftests/{boot/compare.sh,lib/points.sh,out/bench/{exit,guest}_bench} "$top/userspace/mkvm" "$dir/"
	echo "$limit boot/compare sh ./compare.sh $*" >>"$dir/tap.list"
}

job_minikvm() { with_compare=1 programs_on_minikvm minikvm 1800; }
job_minikvm_smp() { programs_on_minikvm minikvm-smp 2300 --cpus 2; }
# The newer CPU model has AVX-512, APICv and PML.
job_minikvm_newer() {
	again_list="guest/apicv_test guest/migrate_test guest/ipi_test guest/irqfd_test guest/lapic_timer_test
		guest/timer_state_test guest/ioapic_test guest/pv_test guest/vapic_test guest/manycpu_test guest/split_irq_test
		api/lapic_test api/x2apic_api_test api/signal_msi_test" \
		programs_on_minikvm minikvm-newer 1800 --model corei7_skylake_x
}

job_stock() {
	local dir=$work/stock
	stage_programs "$dir" api guest
	tap_list "$dir/tap.list.all" "DEV=/dev/kvm " api guest
	without_stock_hangs <"$dir/tap.list.all" >"$dir/tap.list"
	native_module=kvm-intel
	run_tap stock "$dir" 1800 --lane "$lane" --kver "$kver" --mem 1280 --module kvm-intel
}

# The Debian guest, booted by mkvm.
stage_boot() {
	local dir=$1 accel=$2
	mkdir -p "$dir"
	cp "$top/userspace/mkvm" "$top"/selftests/boot/{cases.cfg,run-cases.sh,write.sh,read.sh,disk.sh,fill.sh,no-space.sh,inspect.sh,reboot.sh} "$dir/"
	cp "$guest_initramfs" "$dir/guest-initramfs"
	cp "$guest_root" "$dir/guest-root.img"
	cp "/boot/vmlinuz-$kver" "$dir/guest-vmlinuz"
	cp "$top"/selftests/lib/{points.sh,trace-schema.sh} "$top"/selftests/boot/{mkvm_cases.sh,control_cases.sh,trace_cases.sh,control_debian.sh,button.sh} "$dir/"
	"$top/selftests/boot/tiny/build" "$dir"
	echo "900 boot/mkvm ACCEL=$accel sh ./mkvm_cases.sh" >"$dir/tap.list"
	echo "600 boot/control ACCEL=$accel sh ./control_cases.sh" >>"$dir/tap.list"
	echo "300 boot/trace ACCEL=$accel sh ./trace_cases.sh" >>"$dir/tap.list"
	echo "2200 boot/debian ACCEL=$accel sh ./run-cases.sh" >>"$dir/tap.list"
}

job_boot() {
	local dir=$work/boot
	stage_boot "$dir" minikvm
	native_module=$module
	run_tap boot "$dir" 2300 --lane "$lane" --kver "$kver" --mem 1536 --cpus 2 \
		--module "$module $(minikvm_params)"
}

job_boot_stock() {
	local dir=$work/boot-stock kills=${KILLS:-6}
	stage_boot "$dir" kvm
	cp "$top/selftests/boot/kill-cases.sh" "$(command -v qemu-img)" "$dir/"
	echo "$((240 + 10 * kills)) boot/kill KILLS=$kills ACCEL=kvm sh ./kill-cases.sh" >>"$dir/tap.list"
	# One boot more, and mostly waiting: not where the emulator is slow.
	echo "300 boot/control-debian ACCEL=kvm sh ./control_debian.sh" >>"$dir/tap.list"
	stage_compare "$dir" 300 guest
	run_tap boot-stock "$dir" "$((1740 + 10 * kills))" --lane svm --kver "$kver" --mem 1536 --module kvm-amd \
		--ship-module virtio_pci --ship-module virtio_blk --ship-module virtio_net
}

# mkvm loads it by name, so the lab does not see that it is needed.
find_libslirp() { ldconfig -p | sed -n 's/.*libslirp\.so\.0 .*x86-64.* => //p' | head -n 1; }

# Debian guests on networks, see net-cases.sh. usage: run_net JOB ACCEL SECONDS CASES LAB-ARGUMENT...
run_net() {
	local job=$1 accel=$2 limit=$3 cases=$4 dir=$work/$1 libslirp
	libslirp=$(find_libslirp)
	shift 4
	mkdir -p "$dir"
	cp "$top/userspace/mkvm" "$top/selftests/lib/points.sh" "$top"/selftests/boot/net-{cases,guest}.sh "$dir/"
	cp "$guest_initramfs" "$dir/guest-initramfs"
	cp "$guest_root" "$dir/guest-root.img"
	cp "/boot/vmlinuz-$kver" "$dir/guest-vmlinuz"
	echo "$limit boot/net ACCEL=$accel LIMIT=$((limit / 3)) sh ./net-cases.sh $cases" >"$dir/tap.list"
	run_tap "$job" "$dir" "$((limit + 100))" --lane "$lane" --kver "$kver" --mem 1280 --cpus 2 \
		--ship-module tun --ship-module bridge --ship-module macvtap --ship-module dummy --ship-module vhost_net \
		--file "$libslirp:$libslirp" "$@"
}

job_net() { run_net net minikvm 1500 "user bridge" --module "$module $(minikvm_params)"; }
job_net_stock() {
	local lane=svm
	run_net net-stock kvm 900 "vhost macvtap stream typed" --module kvm-amd
}

# A Debian system with systemd, installed by mkvm-debian-image into a compressed qcow2 image.
job_debian() {
	local dir=$work/debian libslirp
	libslirp=$(find_libslirp)
	mkdir -p "$dir" "$state/check"
	if ! MKVM=$top/userspace/mkvm "$top/userspace/mkvm-debian-image" --no-kernel --compress --size 800M --include busybox \
		--run "$top/selftests/boot/debian/inside.sh" "$dir/debian.qcow2" >"$state/check/debian-image.log" 2>&1; then
		echo "  FAIL  [debian] the image cannot be made"
		sed 's/^/    /' "$state/check/debian-image.log"
		echo "counts 0 1 0"
		return
	fi
	cp "$top/userspace/mkvm" "$top/selftests/boot/debian/run.sh" "$dir/"
	cp "$guest_initramfs" "$dir/guest-initramfs"
	cp "/boot/vmlinuz-$kver" "$dir/guest-vmlinuz"
	echo "900 boot/debian-image sh ./run.sh" >"$dir/tap.list"
	run_tap debian "$dir" 1200 --lane "$lane" --kver "$kver" --mem 1400 --file "$libslirp:$libslirp" \
		--module "$module $(minikvm_params)"
}

# The commands of the course, typed where its readers type them.
job_course() {
	local dir=$work/course
	mkdir -p "$dir"
	cp "$top/selftests/course/course.sh" "$top/selftests/lib/points.sh" "$dir/"
	(cd "$top/Documentation/course" && awk -f "$top/selftests/course/extract.awk" ./[0-9]*.rst) >"$dir/course.list"
	echo "1700 course sh ./course.sh ./course.list" >"$dir/tap.list"
	make -s -C "$top/selftests" bench
	guest_files
	run_tap course "$dir" 1800 --lane "$lane" --kver "$kver" --mem 1280 --ship-module "$module" \
		--ship-module kvm-intel "${guest_files[@]}"
}

# The lab itself: a test that cannot fail proves nothing.
job_lab() { "$here/lab-test"; }

# What needs no lab but more time than check-host has. usage: run_here JOB COMMAND...
run_here() {
	local job=$1 status=0 log=$state/check/$1.log
	shift
	mkdir -p "$state/check"
	"$@" >"$log" 2>&1 </dev/null || status=$?
	{ echo "@@TAP begin $job"; cat "$log"; echo; echo "@@TAP end $job $status"; } |
		awk -f "$here/tap-count" -v lane="[host]"
}

# Two jobs run side by side, so each fuzzer has a processor of its own. It begins with the same
# number and the same inputs each time; threads and time make it go its own way after a while.
job_fuzz() { run_here fuzz env FUZZ_SECONDS="${FUZZ_SECONDS:-20}" FUZZ_SEED=1 FUZZ_JOBS=1 "$top/selftests/fuzz/run"; }
job_packages() { run_here packages "$top/packaging/deb-test" "$kver"; }
