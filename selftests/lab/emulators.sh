# SPDX-License-Identifier: GPL-2.0
# Sourced by lab: starts the emulator of a lane, follows the run, judges the result.
# shellcheck shell=bash disable=SC2154

# Console speed: at the default 9600 baud a character costs 100 000 instructions.
cmdline_common="console=ttyS0,115200 mitigations=off nokaslr loglevel=5 nowatchdog panic=-1"
# Self-tests of ciphers, and verifying the certificates that sign modules: half of the boot.
cmdline_common="$cmdline_common cryptomgr.notests initcall_blacklist=load_system_certificate_list"

# socat makes a pty whose other end is the user's terminal, raw.
open_terminal() {
	command -v socat >/dev/null || die "socat is missing: install the packages in packages/lab.list"
	saved_tty=$(stty -g)
	socat -,raw,echo=0 PTY,link="$work/tty",raw,echo=0,wait-slave 2>"$work/socat.err" <&0 &
	socatpid=$!
	for _ in $(seq 50); do [ -e "$work/tty" ] && break; sleep 0.1; done
	[ -e "$work/tty" ] || die "no terminal: $(cat "$work/socat.err")"
}

# The boot ROM, and the disk it reads: kernel, initramfs and command line.
make_disk() {
	build_tool bootdisk
	bootdisk=$cached_file
	build_rom
	bootrom=$cached_file
	extract_kernel
	cylinders=$("$bootdisk" "$kernel" "$cached_file" "$work/initramfs" "$1" "$mem" "$work/disk") ||
		die "cannot make the boot disk"
}

start_vmx() {
	local com2="mode=file, dev=$outdir/console.log"
	[ -z "$interactive" ] || com2="mode=term, dev=$(readlink -f "$work/tty")"
	# Bochs counts ips instructions a second, whatever CPUID says; told so, the kernel's idea of time
	# is exact from the start.
	local cmdline="$cmdline_common tsc_early_khz=100000"
	# This model states the size of a compacted XSAVE area wrongly, and the kernel then does without
	# XSAVE altogether; in the standard format AVX-512 works.
	[ "$model" != corei7_skylake_x ] || cmdline="$cmdline clearcpuid=xsaves,xsavec"
	# An IPI to a CPU that Bochs has put to sleep in MWAIT with interrupts off can be lost; HLT is safe.
	[ "$cpus" = 1 ] || cmdline="$cmdline idle=halt"
	make_disk "$cmdline $append"
	cat >"$work/bochsrc" <<-RC
	display_library: rfb, options="timeout=0"
	memory: guest=$mem, host=$mem
	romimage: file=/usr/share/bochs/BIOS-bochs-latest
	vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
	cpu: model=$model, count=$cpus, ips=100000000, reset_on_triple_fault=0
	clock: sync=none, time0=1700000000
	optromimage1: file=$bootrom, address=0xd0000
	ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
	ata0-master: type=disk, mode=flat, path=$work/disk, cylinders=$cylinders, heads=16, spt=63
	boot: disk
	com1: enabled=1, mode=file, dev=$outdir/serial.log
	com2: enabled=1, $com2
	port_e9_hack: enabled=1
	plugin_ctrl: speaker=0, parallel=0, gameport=0, extfpuirq=0
	log: $outdir/emulator.log
	panic: action=fatal
	error: action=report
	info: action=ignore
	debug: action=ignore
	RC
	: >"$work/commands"
	if [ -n "$windows" ]; then
		echo "magic_break: enabled=1" >>"$work/bochsrc"
		for _ in $(seq "$windows"); do printf 'c\ntrace on\nc\ntrace off\n' >>"$work/commands"; done
	fi
	echo c >>"$work/commands"
	: >"$outdir/serial.log"
	: >"$outdir/console.log"
	setsid "$emulator" -q -f "$work/bochsrc" -rc "$work/commands" </dev/null >"$work/e9.out" 2>"$outdir/emulator.err" &
	emupid=$!
}

start_svm() {
	local com2=file:$outdir/console.log extra='' cpu=max,-xsave
	[ -z "$interactive" ] || com2=$(readlink -f "$work/tty")
	# A string instruction counts once for each unit: copies by bytes would look eight times as dear.
	[ -z "$icount" ] || extra="-icount shift=0" cpu=$cpu,-erms
	: >"$outdir/console.log"
	# TCG does not intercept XSETBV, so KVM would not know a guest's XCR0: do without XSAVE.
	# shellcheck disable=SC2086
	setsid "$emulator" -accel tcg -cpu "$cpu" -smp "$cpus" -m "$mem" -nodefaults -no-user-config \
		-display none -no-reboot -kernel "$kernel" -initrd "$work/initramfs" -append "$cmdline_common $append" \
		-serial "file:$outdir/serial.log" -serial "$com2" $extra \
		-chardev "file,id=e9,path=$work/e9.out" -device isa-debugcon,iobase=0xe9,chardev=e9 \
		</dev/null >"$outdir/emulator.log" 2>"$outdir/emulator.err" &
	emupid=$!
}

alive() { kill -0 "$emupid" 2>/dev/null; }

stop_emulator() {
	kill -9 -- "-$emupid" 2>/dev/null || true
	wait "$emupid" 2>/dev/null || true
	emupid=
	[ -z "$windows" ] || cp "$work/e9.out" "$outdir/trace.log"
	# Let the follower print what has been written since.
	if [ -n "$tailpid" ]; then
		sleep 0.3
		kill "$tailpid" 2>/dev/null || true
		wait "$tailpid" 2>/dev/null || true
		tailpid=
	fi
	if [ -n "$socatpid" ]; then
		kill "$socatpid" 2>/dev/null || true
		wait "$socatpid" 2>/dev/null || true
		socatpid=
		stty "$saved_tty"
	fi
}

has_mark() { grep -aq "^@@LAB $1" "$work/e9.out" 2>/dev/null; }

# In Bochs the time-stamp counter counts instructions: where they went before the script.
instructions() {
	local rom kernel init script
	rom=$(sed -n 's/^@@LAB kernel rom-tsc \([0-9a-fx]*\).*/\1/p' "$work/e9.out")
	kernel=$(sed -n 's/^@@LAB kernel .* tsc \([0-9a-fx]*\).*/\1/p' "$work/e9.out")
	init=$(sed -n 's/^@@LAB init tsc \([0-9a-fx]*\).*/\1/p' "$work/e9.out")
	script=$(sed -n 's/^@@LAB start tsc \([0-9a-fx]*\).*/\1/p' "$work/e9.out")
	[ -z "$rom" ] || echo " million instructions: firmware $((rom / 1000000))," \
		"loader $(((kernel - rom) / 1000000)), kernel $(((init - kernel) / 1000000)), init $(((script - init) / 1000000))"
}

wait_for_host() {
	local begin=$SECONDS status started=
	if [ -z "$interactive" ]; then
		tail -n +1 -f "$outdir/console.log" 2>/dev/null &
		tailpid=$!
	fi
	while alive; do
		sleep 0.2
		if [ -z "$started" ] && has_mark start; then
			started=1
			note "script started after $((SECONDS - begin)) s;$(instructions)"
		fi
		if has_mark files-end; then break; fi
		if [ "$limit" -gt 0 ] && [ $((SECONDS - begin)) -ge "$limit" ]; then
			stop_emulator
			report_end "no end after $limit s, killed"
			exit $STATUS_TIMEOUT
		fi
	done
	stop_emulator
	unpack_files
	if ! status=$(sed -n 's/^@@LAB status \([0-9]*\).*/\1/p' "$work/e9.out" | head -n1) || [ -z "$status" ]; then
		if [ -z "$started" ]; then
			report_end "the lab host ended before the script started"
		else
			report_end "the lab host ended before the script did"
		fi
		exit $STATUS_DIED
	fi
	judge_dmesg "$status"
	note "done after $((SECONDS - begin)) s, status $status, logs in $outdir"
	exit "$status"
}

unpack_files() {
	has_mark files-end || return 0
	sed -n '/^@@LAB files-begin/,/^@@LAB files-end/p' "$work/e9.out" | grep -av '^@@LAB' |
		base64 -d 2>/dev/null | tar -xzf - -C "$outdir" --no-same-owner ||
		echo "lab: /lab/out did not come through whole" >&2
}

report_end() {
	local found
	echo "lab: $1 (logs: $outdir)" >&2
	found=$(kernel_warnings "$outdir/serial.log")
	[ -z "$found" ] || printf 'lab: its kernel said:\n%s\n' "$found" >&2
	echo "lab: last lines of its serial console:" >&2
	tail -n 20 "$outdir/serial.log" 2>/dev/null | sed 's/\r$//; s/^/  | /' >&2
	grep -aE 'PANIC|>>PANIC<<' "$outdir/emulator.log" 2>/dev/null | tail -n 3 | sed 's/^/  emulator: /' >&2 || true
	tail -n 5 "$outdir/emulator.err" 2>/dev/null | sed 's/^/  emulator: /' >&2 || true
}

judge_dmesg() {
	local found
	found=$(kernel_warnings "$outdir/dmesg")
	[ -n "$found" ] || return 0
	{
		echo "lab: the lab host's kernel warned (script status $1; whole log: $outdir/dmesg):"
		printf '%s\n' "$found" | sed 's/^/  | /'
	} >&2
	exit $STATUS_WARNING
}
