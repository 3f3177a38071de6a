#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Owns the tests of what `mkvm run` refuses before it starts anything: each mistake gives status 1
# and one line on stderr that names it, and leaves no trace. Needs no accelerator. TAP on stdout.
# MKVM: the binary to test.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
mkvm=${MKVM:-$top/userspace/mkvm}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
cd "$dir"

n=0
failed=0
result() { # result STATUS NAME
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		sed 's/^/# stderr: /' err
		failed=1
	fi
}

# bytes OCTAL... at an offset of a file
put() { # put FILE OFFSET ESCAPES
	# shellcheck disable=SC2059
	printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# A bzImage as far as its header goes: wants 32 MiB at 16 MiB, takes a command line of 100.
fake_kernel() {
	rm -f "$1"
	truncate -s 64K "$1"
	put "$1" 497 '\004'			# setup_sects
	put "$1" 510 '\125\252\353\152HdrS\017\002'	# boot flag, jump, HdrS, version 2.15
	put "$1" 529 '\001'			# loadflags: loaded high
	put "$1" 556 '\377\377\377\177'		# initrd_addr_max
	put "$1" 566 '\001'			# xloadflags: 64-bit entry
	put "$1" 568 '\144'			# cmdline_size 100
	put "$1" 600 '\000\000\000\001'		# pref_address 16 MiB
	put "$1" 608 '\000\000\000\002'		# init_size 32 MiB
}

# Runs mkvm; it must end with status 1 and one line on stderr that contains TEXT.
refuse() { # refuse NAME TEXT OPTION...
	name=$1 text=$2 status=0
	shift 2
	timeout 20 "$mkvm" run "$@" </dev/null >out 2>err || status=$?
	ok=1
	if [ "$status" -eq 1 ] && [ ! -s out ] && [ "$(wc -l <err)" -eq 1 ] &&
	   grep -q '^mkvm: ' err && grep -qF -e "$text" err; then
		ok=0
	else
		echo "# status $status, wanted 1 and one line with: $text"
	fi
	result $ok "$name"
}

# Runs mkvm; status 0 and TEXT on stdout.
accept() { # accept NAME TEXT ARGUMENT...
	name=$1 text=$2 status=0
	shift 2
	timeout 20 "$mkvm" "$@" </dev/null >out 2>err || status=$?
	ok=1
	if [ "$status" -eq 0 ] && [ ! -s err ] && grep -qF -e "$text" out; then ok=0; fi
	result $ok "$name"
}

fake_kernel kernel
none=/nonexistent/device
k="-kernel kernel -accel $none"
truncate -s 1M initrd disk.img

# shellcheck disable=SC2086
{
accept "help" "Usage: mkvm COMMAND" help
accept "help of run" "-drive file=FILE" run --help
accept "-h" "-kernel FILE" run -h
result "$([ "$(timeout 20 "$mkvm" run -h | wc -l)" -le 40 ] && echo 0 || echo 1)" "help fits a screen"
accept "version" "mkvm " --version
accept "version of run" "mkvm " run -version
status=0; "$mkvm" >out 2>err || status=$?
result "$([ $status -eq 1 ] && grep -q 'no command' err && echo 0 || echo 1)" "no command"
status=0; "$mkvm" frobnicate >out 2>err || status=$?
result "$([ $status -eq 1 ] && grep -q "'frobnicate'" err && echo 0 || echo 1)" "unknown command"

# Options
refuse "no kernel" "no kernel" -m 512
refuse "unknown option" "'--frobnicate' is not supported" --frobnicate
refuse "QEMU's option that is not supported" "'-cdrom' is not supported: there is no firmware" -cdrom x.iso
refuse "abbreviated option" "'-ker' is not supported" -ker kernel
refuse "option without its value" "'-kernel' needs a value" -kernel
refuse "value for an option that takes none" "is not supported" -nographic=1 $k
refuse "stray argument" "'disk.img'" $k disk.img

# Numbers
refuse "no CPUs" "-smp 0" $k -smp 0
refuse "negative CPUs" "-smp -1" $k -smp -1
refuse "too many CPUs" "-smp 255" $k -smp 255
refuse "CPUs that overflow" "-smp 18446744073709551617" $k -smp 18446744073709551617
refuse "CPUs with a tail" "-smp 2x" $k -smp 2x
refuse "CPU topology" "cannot open $none" $k -smp 8,sockets=2,cores=2,threads=2
refuse "CPU topology without the sum" "cannot open $none" $k -smp sockets=2,cores=2
refuse "CPU topology that does not add up" "are not 4 CPUs" $k -smp 4,sockets=3
refuse "three threads a core" "powers of two" $k -smp 3,threads=3
refuse "CPUs to be added later" "maxcpus=" $k -smp 2,maxcpus=4
refuse "unknown part of a topology" "key 'dies'" $k -smp 2,dies=2
refuse "memory to be added later" "slots=" $k -m 512,slots=2,maxmem=1G
refuse "no memory" "-m 0" $k -m 0
refuse "negative memory" "-m -5" $k -m -5
refuse "memory that is no number" "-m lots" $k -m lots
refuse "memory with an unknown suffix" "-m 12T" $k -m 12T
refuse "memory that overflows" "-m 18446744073709551615G" $k -m 18446744073709551615G
refuse "more memory than any machine has" "too much memory" $k -m 9999999G
refuse "memory too small for the kernel" "too little for this kernel; give 48" $k -m 32
refuse "memory too small for the initrd" "too little for kernel and initrd; give 50" $k -m 48 -initrd initrd

# Names
refuse "empty name" "-name" $k -name ''
refuse "name with a slash" "-name ../x" $k -name ../x
refuse "name of 65 characters" "-name aaaa" $k -name "$(printf '%065d' 0 | tr 0 a)"
refuse "unknown accelerator" "-accel tcg" -kernel kernel -accel tcg
refuse "missing accelerator" "cannot open $none" $k
refuse "an accelerator that is something else" "/dev/null is not an accelerator" -kernel kernel -accel /dev/null

# Kernel and initrd
refuse "missing kernel" "-kernel nofile: cannot open it" -kernel nofile
refuse "kernel is a directory" "not a regular file" -kernel .
mkfifo fifo
refuse "kernel is a FIFO" "not a regular file" -kernel fifo
: >empty
refuse "empty kernel" "is no bzImage" -kernel empty
refuse "kernel that is no bzImage" "is no bzImage" -kernel initrd
head -c 600 kernel >short
refuse "cut kernel" "is no bzImage" -kernel short
fake_kernel cut && put cut 500 '\377\377\001'
refuse "kernel shorter than its header says" "truncated" -kernel cut
fake_kernel old && put old 518 '\003\002'
refuse "old kernel" "too old" -kernel old
fake_kernel bit32 && put bit32 566 '\000'
refuse "32-bit kernel" "no 64-bit kernel" -kernel bit32
fake_kernel high && put high 600 '\000\000\000\377'
refuse "kernel that wants to be where no RAM is" "which cannot be" -kernel high -m 8192
fake_kernel huge && put huge 608 '\377\377\377\377'
refuse "kernel that wants 4 GiB" "which cannot be" -kernel huge -m 8192
refuse "missing initrd" "-initrd nofile: cannot open it" $k -initrd nofile
refuse "empty initrd" "-initrd empty: is empty" $k -initrd empty
refuse "command line too long" "command line of 101 characters; this kernel takes 100" $k \
	-append "$(printf '%0101d' 0)"

fake_elf() {
	truncate -s 0 "$1"
	put "$1" 0 '\177ELF\002\001\001'
	put "$1" 16 '\002\000\076\000\001\000\000\000'	# executable, x86-64
	put "$1" 24 '\000\000\000\001'		# entry 16 MiB
	put "$1" 32 '\100'				# program headers at 64
	put "$1" 54 '\070\000\001'			# 56 bytes each, one
	put "$1" 64 '\001\000\000\000\007'		# to be loaded
	put "$1" 73 '\020'				# from 4096
	put "$1" 88 '\000\000\000\001'		# to 16 MiB
	put "$1" 97 '\020'				# 4096 bytes
	put "$1" 106 '\040'				# 2 MiB in memory
	truncate -s 8K "$1"
}
fake_elf elf
refuse "an ELF kernel is fine" "cannot open $none" -kernel elf -accel "$none"
refuse "as long as there is memory for it" "too little for this kernel; give 18" -kernel elf -accel "$none" -m 16
refuse "command line too long for it" "this kernel takes 2047" -kernel elf -append "$(printf '%02048d' 0)"
fake_elf elf32 && put elf32 4 '\001'
refuse "32-bit ELF file" "not for x86-64" -kernel elf32
head -c 4097 elf >elfcut
refuse "cut ELF file" "is truncated" -kernel elfcut

# Memory from elsewhere
refuse "unknown key of overcommit" "key 'cpu-pm' is not supported" $k -overcommit cpu-pm=on
refuse "lock that is neither on nor off" "mem-lock is on or off" $k -overcommit mem-lock=maybe

# The machine that would be
accept "dry run" "00:01.0  1af4:1042  virtio-blk  c0000000-c0007fff  GSI 16" run -kernel kernel -hda disk.img \
	-dry-run -accel $none
accept "dry run as JSON" '"protocol": "linux-64"' run -kernel kernel --dry-run=json
refuse "dry run as something else" "give json" $k -dry-run=xml
refuse "dry run of what cannot be" "cannot open it" $k -hda nofile -dry-run
accept "dry run of outputs" "stream 0: COM1, ports 0x3f8-0x3ff, GSI 4: file log" run -kernel kernel -dry-run \
	-serial file:log -pidfile pid -chardev socket,id=s,path=sock,server=on,wait=off
result "$([ ! -e log ] && [ ! -e pid ] && [ ! -e sock ] && echo 0 || echo 1)" "makes none of them"

# Disks
refuse "missing disk" "disk nofile: cannot open it" $k -hda nofile
refuse "empty disk" "disk empty: is empty" $k -hda empty
refuse "disk is a directory" "disk .:" $k -drive file=.,format=raw,readonly=on
refuse "disk is a character device" "neither a file nor a block device" $k -hda /dev/zero
truncate -s 1000 odd.img
refuse "disk that is no whole number of sectors" "no multiple of 512" $k -hda odd.img
refuse "-drive without file" "file= is missing" $k -drive format=raw,if=virtio
refuse "unsupported format" "format 'qed' is not supported; use qcow2" $k -drive file=disk.img,format=qed
refuse "unsupported interface" "interface 'ide' is not supported" $k -drive file=disk.img,if=ide
refuse "unknown key" "key 'copy-on-read' is not supported" $k -drive file=disk.img,copy-on-read=on
for bad in cache=fast aio=native discard=yes werror=retry rerror=enospc media=cdrom detect-zeroes=on index=2; do
	refuse "-drive $bad" "is not supported" $k -drive file=disk.img,$bad
done
for good in cache=writeback cache=writethrough cache=unsafe aio=threads discard=unmap discard=ignore \
	detect-zeroes=off werror=enospc,rerror=report werror=stop,rerror=stop werror=ignore serial=0123456789; do
	refuse "-drive $good is understood" "cannot open $none" $k -drive file=disk.img,$good
done
refuse "a serial number that is too long" "at most 20 bytes" $k -drive file=disk.img,serial=012345678901234567890
refuse "if=none without id" "needs an id=" $k -drive file=disk.img,if=none
refuse "a drive that nothing uses" "nothing uses it" $k -drive file=disk.img,if=none,id=d
refuse "two drives of one id" "id 'd' is taken" $k -drive file=disk.img,id=d -drive file=disk.img,id=d
refuse "a snapshot of what is read-only" "exclude each other" $k -drive file=disk.img,readonly=on,snapshot=on
d="$k -drive file=disk.img,if=none,id=d"
refuse "a disk without a drive" "drive= is missing" $k -device virtio-blk-pci
refuse "a drive that does not exist" "no -drive with this id" $d -device virtio-blk-pci,drive=e
refuse "a drive that has a disk" "give it if=none" $k -drive file=disk.img,id=d -device virtio-blk-pci,drive=d
refuse "a drive for two devices" "another device uses it" $d -device virtio-blk-pci,drive=d \
	-device virtio-blk-pci,drive=d
for bad in num-queues=0 num-queues=65 queue-size=2048 queue-size=100 logical_block_size=100 \
	logical_block_size=1000 min_io_size=100 discard=maybe write-cache=auto bootindex=1; do
	refuse "-device virtio-blk-pci,$bad" "${bad%%=*}" $d -device virtio-blk-pci,drive=d,$bad
done
refuse "a disk with everything is understood" "cannot open $none" $d \
	-device virtio-blk-pci,drive=d,serial=x,num-queues=4,queue-size=1024,logical_block_size=4096,physical_block_size=4096,write-cache=off,config-wce=off,discard=on,write-zeroes=off
refuse "key without value" "'readonly' has no value" $k -drive file=disk.img,readonly
refuse "readonly that is neither on nor off" "on or off" $k -drive file=disk.img,readonly=yes
truncate -s 1M q.img && put q.img 0 'vhdxfile'
refuse "an image of a format we have not" "looks like vhdx" $k -hda q.img
refuse "unless format=raw insists" "cannot open $none" $k -drive file=q.img,format=raw
cp disk.img a,b.img
refuse "a comma in a file name is doubled" "cannot open $none" $k -drive file=a,,b.img,format=raw
refuse "the same disk twice" "disk disk.img: in use by another writer" $k -hda disk.img -hda disk.img
refuse "the same disk twice, once read-only" "disk disk.img: in use by another reader" $k \
	-drive file=disk.img,readonly=on -hda disk.img
refuse "read-only twice is fine" "cannot open $none" $k -drive file=disk.img,readonly=on \
	-drive file=disk.img,readonly=on
drives=$(for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do
	echo "-drive file=disk.img,readonly=on"; done)
refuse "25 disks" "too many" $k $drives

# Networks
refuse "unknown network" "kind 'vde' is not supported; use user, tap" $k -nic vde
refuse "another model" "model 'e1000' is not supported" $k -nic user,model=e1000
refuse "key of another kind" "key 'br' is not supported; use id, net" $k -nic user,br=br0
refuse "-netdev without id" "id= is missing" $k -netdev user
refuse "a network nobody uses" "no device uses it" $k -netdev user,id=n
refuse "two networks of one name" "id 'n' is taken" $k -netdev user,id=n -netdev user,id=n
refuse "a device without a network" "netdev= is missing" $k -device virtio-net-pci
refuse "a device on no network" "no -netdev with this id" $k -device virtio-net-pci,netdev=n
refuse "two devices on one network" "has a device already" $k -netdev user,id=n \
	-device virtio-net-pci,netdev=n -device virtio-net-pci,netdev=n
refuse "no MAC address" "is no MAC address" $k -nic user,mac=52:54:00:12:34
refuse "a group's MAC address" "is a group address" $k -nic user,mac=01:00:5e:00:00:01
refuse "one MAC address twice" "the same MAC address" $k -nic user,mac=52:54:00:12:34:56 \
	-nic user,mac=52:54:00:12:34:56
refuse "MTU too small" "from 68 to" $k -netdev user,id=n -device virtio-net-pci,netdev=n,host_mtu=67
refuse "too many networks" "at most 8" $k -nic user -nic user -nic user -nic user -nic user -nic user \
	-nic user -nic user -nic user
refuse "old style: a device alone" "-net nic: no network" $k -net nic,model=virtio
refuse "old style: a network alone" "no device; add -net nic" $k -net user
refuse "old style: two networks" "a second network on the hub" $k -net nic -net user -net user
refuse "old style: two devices" "a second device on the hub" $k -net nic -net nic -net user
refuse "old style: another model" "model 'rtl8139' is not supported" $k -net nic,model=rtl8139 -net user
refuse "scripts" "mkvm runs no scripts" $k -nic tap,script=/etc/qemu-ifup
refuse "vhost, perhaps" "vhost is on or off, not 'maybe'" $k -nic tap,vhost=maybe
refuse "vhost without a tap" "key 'vhost' is not supported; use id, net" $k -nic user,vhost=on
refuse "vhost on a cable" "key 'vhost' is not supported" $k -nic stream,vhost=on
refuse "vhost by force" "key 'vhostforce' is not supported" $k -nic tap,vhostforce=on
refuse "vhost from a descriptor" "key 'vhostfd' is not supported" $k -nic tap,vhost=on,vhostfd=3
accept "vhost" "MAC address 52:54:00:00:00:01, by vhost-net" run -kernel kernel \
	-dry-run -nic tap,ifname=t0,vhost=on,mac=52:54:00:00:00:01
accept "vhost of a bridge, as JSON" '"vhost": true' run -kernel kernel -dry-run=json -nic bridge,vhost=on
accept "vhost of a macvtap, off" '"vhost": false' run -kernel kernel -dry-run=json -nic macvtap,dev=lo,vhost=off
refuse "interface name too long" "is no name of an interface" $k -nic tap,ifname=abcdefghijklmnop
refuse "interface name with a slash" "is no name of an interface" $k -nic tap,ifname=../x
refuse "too many queues" "a number from 1 to 8" $k -nic tap,queues=9
refuse "a descriptor that is not open" "descriptor 99 is no tap" $k -nic tap,fd=99
refuse "a descriptor and a name" "go with neither" $k -nic tap,fd=99,ifname=tap0
refuse "macvtap on nothing" "dev= is missing" $k -nic macvtap
refuse "macvtap in an unknown mode" "mode 'x' is unknown" $k -nic macvtap,dev=lo,mode=x
refuse "IPv6" "ipv6=on is not supported" $k -nic user,ipv6=on
refuse "a network too small" "is no IPv4 network" $k -nic user,net=10.0.2.0/30
refuse "a host outside the network" "host= is no address in the network" $k -nic user,host=10.0.3.2
refuse "two roles for one address" "must differ" $k -nic user,dns=10.0.2.2
for fwd in x tcp:22 tcp::22 tcp::22-22 tcp::0-:22 tcp::65536-:22 sctp::22-:22 tcp:300.0.0.1:22-:22; do
	refuse "hostfwd=$fwd" "network user,hostfwd=" $k -nic "user,hostfwd=$fwd"
done
refuse "a stream to nowhere" "give addr.type=unix" $k -nic stream
refuse "a stream nobody answers" "start the other end first" $k -nic stream,addr.type=unix,addr.path=nosock
refuse "a socket without an address" "give listen=" $k -nic socket
refuse "a socket with half an address" "is HOST:PORT" $k -nic socket,listen=1234
refuse "the socket of a network that failed later" "cannot open $none" $k \
	-nic stream,server=on,addr.type=unix,addr.path=sock
result "$([ ! -e sock ] && echo 0 || echo 1)" "is not left behind"

# Serial ports
refuse "unknown serial back end" "-serial vc" $k -serial vc
refuse "stdio with QEMU's monitor" "cannot open $none" $k -serial mon:stdio
refuse "something else with it" "not supported" $k -serial mon:pty
refuse "empty file name" "the path is missing" $k -serial file:
refuse "empty socket name" "the path is missing" $k -serial unix:,server=on,wait=off
refuse "client of a socket" "add server=on" $k -serial unix:x
refuse "waiting for a client" "add wait=off" $k -serial unix:x,server=on
refuse "server that is neither on nor off" "server is on or off" $k -serial unix:x,server=yes
refuse "console for everybody" "listen on 127.0.0.1" $k -serial tcp:0.0.0.0:99,server=on,wait=off
refuse "console without a host" "listen on 127.0.0.1" $k -serial tcp::99,server=on,wait=off
refuse "port that is none" "is no port" $k -serial tcp:127.0.0.1:http,server=on,wait=off
refuse "port 0" "is no port" $k -serial tcp:127.0.0.1:0,server=on,wait=off
refuse "port that is too large" "is no port" $k -serial tcp:127.0.0.1:65536,server=on,wait=off
refuse "key of another kind" "key 'append' is not supported" $k -serial pty,append=on
refuse "unknown stream" "-chardev ringbuf,id=x" $k -chardev ringbuf,id=x
refuse "stream without a name" "id= is missing" $k -chardev null
refuse "name taken twice" "id 'a' is taken" $k -chardev null,id=a -chardev pty,id=a
refuse "serial port of a stream that is not there" "no -chardev with id=b" $k -chardev null,id=a -serial chardev:b
refuse "stream of two ports" "connected to something else" $k -chardev null,id=a -serial chardev:a -serial chardev:a
refuse "stdio twice, once as a stream" "only once" $k -chardev stdio,id=a -serial stdio
refuse "multiplexed stream" "mux=on is not supported" $k -chardev stdio,id=a,mux=on
refuse "socket without a path" "the path is missing" $k -chardev socket,id=a,server=on,wait=off
streams=$(for i in 1 2 3 4 5 6 7 8 9; do echo "-chardev null,id=c$i"; done)
refuse "socket here and there" "give path=, or host=" $k -chardev socket,id=a,host=::1,path=x,port=7,server=on,wait=off
refuse "nine streams" "too many" $k $streams
refuse "streams that are fine" "cannot open $none" $k -serial chardev:a -chardev socket,id=a,path=x,server=on,wait=off \
	-chardev file,id=b,path=y,append=on -serial chardev:b -chardev socket,id=c,host=::1,port=7,server=on,wait=off

# What says what is so anyway, and what is not
refuse "what is so anyway" "cannot open $none" $k -machine q35,usb=off,acpi=on -cpu host -display none -vga none \
	-nodefaults -no-user-config -rtc base=localtime,clock=host -M type=pc -sandbox on,obsolete=deny
refuse "unknown machine" "type 'isapc' is not supported" $k -machine isapc
refuse "unknown key of the machine" "key 'kernel_irqchip'" $k -machine q35,kernel_irqchip=off
refuse "machine with USB" "usb=on is not supported" $k -machine q35,usb=on
refuse "machine with an unknown accelerator" "accel=tcg: unknown" $k -machine q35,accel=tcg
refuse "another CPU" "-cpu qemu64" $k -cpu qemu64
refuse "display" "there is no display yet" $k -display gtk
refuse "graphics card" "there is no display yet" $k -vga std
refuse "clock that begins elsewhere" "base '2020-01-01' is not supported" $k -rtc base=2020-01-01
refuse "guest clock" "clock=vm is not supported" $k -rtc clock=vm
refuse "unknown user" "no such user" $k -user nobody-knows-me
refuse "sandbox that is neither on nor off" "use on or off" $k -sandbox maybe
refuse "unknown device" "there are" $k -device e1000
refuse "unknown key of a device" "key 'rate' is not supported" $k -device virtio-rng-pci,rate=1
refuse "device on another bus" "bus 'pci.1' does not exist" $k -device virtio-rng-pci,bus=pci.1
refuse "legacy device" "virtio devices are modern" $k -device virtio-rng-pci,disable-legacy=off
refuse "two devices of one name" "id 'r' is taken" $k -device virtio-rng-pci,id=r -device virtio-rng,id=r
refuse "key given twice" "period= is given twice" $k -device virtio-rng-pci,period=1,period=2
refuse "no bytes in a period" "from 1 to" $k -device virtio-rng-pci,max-bytes=0
refuse "key without a value" "'max-bytes' has no value" $k -device virtio-rng-pci,max-bytes
refuse "console without a stream" "chardev= is missing" $k -device virtio-serial-pci -device virtconsole
refuse "console of a stream that is not there" "no -chardev with id=x" $k -device virtio-serial-pci \
	-device virtconsole,chardev=x
refuse "console that is plugged in nowhere" "no -device virtio-serial-pci" $k -chardev null,id=x \
	-device virtconsole,chardev=x
refuse "second console of one device" "no -device virtio-serial-pci" $k -chardev null,id=x -chardev null,id=y \
	-device virtio-serial-pci -device virtconsole,chardev=x -device virtconsole,chardev=y
refuse "devices that are fine" "cannot open $none" $k -chardev null,id=x -device virtio-serial,id=s \
	-device virtconsole,chardev=x,bus=s.0 -device virtio-rng-pci-non-transitional,bus=pci.0
devices=$(for i in $(seq 32); do echo "-device virtio-rng-pci"; done)
refuse "32 devices" "too many" $k $devices
for refused in cdrom=x boot=d bios=x vnc=:1 spice=x sdl full-screen usb usbdevice=tablet audiodev=x soundhw=hda \
	parallel=none watchdog=i6300esb tpmdev=x virtfs=x fsdev=x uuid=x smbios=x numa=x object=x icount=1 incoming=x \
	loadvm=x gdb=tcp::1 s trace=x d=int global=x=y set=x readconfig=x fda=x no-acpi no-shutdown dtb=x option-rom=x action=x; do
	case $refused in
	*=*) set -- "-${refused%%=*}" "${refused#*=}" ;;
	*) set -- "-$refused" ;;
	esac
	refuse "$1" "option '$1' is not supported: " "$@" $k
done
refuse "stdio twice" "only once" $k -serial stdio -serial stdio
refuse "three serial ports" "only 2 serial ports" $k -serial null -serial null -serial null

# Names, background, control
refuse "name with an unknown key" "key 'color' is not supported" $k -name a,color=red
refuse "name of a process that is too long" "1 to 15 characters" $k -name a,process=sixteencharacter
refuse "all keys of a name" "cannot open $none" $k -name guest=a,process=b,debug-threads=on
refuse "a terminal in the background" "stdio cannot be used with -daemonize" $k -daemonize -serial stdio
refuse "a mistake in the background" "cannot open $none" $k -daemonize
refuse "QMP on the terminal" "use unix:PATH" $k -qmp stdio
refuse "QMP as a client" "only server=on,wait=off" $k -qmp unix:x
refuse "QMP that waits" "only server=on,wait=off" $k -qmp unix:x,server=on
refuse "QMP with an unknown key" "key 'path' is not supported" $k -qmp unix:x,path=y
refuse "QMP twice" "only once" $k -qmp unix:x,server,nowait -qmp unix:y,server,nowait
refuse "QEMU's monitor" "no such monitor" $k -monitor stdio
refuse "no monitor, no QMP" "cannot open $none" $k -monitor none -qmp none
refuse "a log" "cannot open $none" $k -D log
refuse "waiting for resume" "cannot open $none" $k -S
}

# The commands that find a machine by its name.
MKVM_RUNTIME_DIR=$dir/run
export MKVM_RUNTIME_DIR
fail() { # fail NAME TEXT ARGUMENT...
	name=$1 text=$2 status=0
	shift 2
	timeout 20 "$mkvm" "$@" </dev/null >out 2>err || status=$?
	ok=1
	if [ "$status" -eq 1 ] && [ ! -s out ] && [ "$(wc -l <err)" -eq 1 ] && grep -qF -e "$text" err; then ok=0; fi
	result $ok "$name"
}
accept "list without a machine" "NAME " list
accept "as JSON" "[]" list --json
result "$([ ! -e run ] && echo 0 || echo 1)" "looking makes no folder"
fail "list takes no name" "usage: mkvm list" list one
for command in info console stop pause resume reset; do
	fail "$command without a name" "usage: mkvm $command" $command
	fail "$command of a machine that does not run" "no virtual machine 'one' is running" $command one
	fail "$command with a path" "is no name" $command ../one
done
fail "stop with an unknown option" "usage: mkvm stop" stop -x one
fail "stop two machines" "usage: mkvm stop" stop one two
fail "stop with a time that is none" "give seconds" stop -w 1m one
fail "stop with a time that is too long" "at most 86400" stop -w 86401 one
mkdir -m 777 run
fail "a folder that others can write to" "only you can write" list
rmdir run

# Nothing was left behind by all this.
refuse "outputs are not created on failure" "cannot open $none" -kernel kernel -accel "$none" \
	-serial file:log -pidfile pid
result "$([ ! -e log ] && [ ! -e pid ] && echo 0 || echo 1)" "neither log nor pid file is left behind"

# A disk held by somebody else, and files we may not open.
if command -v python3 >/dev/null; then
	python3 - <<-'PY' >locked &
	import fcntl, struct, sys, time
	f = open("disk.img", "r+b")
	fcntl.fcntl(f, 37, struct.pack("hhqqi4x", 1, 0, 0, 0, 0))	# F_OFD_SETLK, F_WRLCK
	print("locked", flush=True)
	time.sleep(30)
	PY
	locker=$!
	i=0
	while [ ! -s locked ] && [ $i -lt 100 ]; do sleep 0.1; i=$((i + 1)); done
	refuse "disk in use by another writer" "in use by another writer" -kernel kernel -accel "$none" \
		-hda disk.img
	refuse "not even for reading" "in use by another writer" -kernel kernel -accel "$none" \
		-drive file=disk.img,format=raw,readonly=on
	kill "$locker" 2>/dev/null || true
	wait "$locker" 2>/dev/null || true
else
	n=$((n + 1)); echo "ok $n - disk in use by another writer # SKIP python3 is not installed"
	n=$((n + 1)); echo "ok $n - not even for reading # SKIP python3 is not installed"
fi
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$dir"
	cp "$mkvm" ./mkvm-copy
	chmod 755 mkvm-copy
	chmod 600 initrd
	: >device
	chmod 600 device
	saved=$mkvm
	cat >as-nobody <<-SH
	#!/bin/sh
	exec setpriv --reuid 65534 --regid 65534 --clear-groups "$dir/mkvm-copy" "\$@"
	SH
	chmod 755 as-nobody
	mkvm=$dir/as-nobody
	refuse "no permission for the accelerator" "permission denied; become root or join" \
		-kernel kernel -accel "$dir/device"
	refuse "no permission for the initrd" "-initrd initrd: cannot open it: Permission denied" \
		-kernel kernel -initrd initrd
	chmod 444 disk.img
	refuse "no permission to write the disk" "cannot open it for writing" -kernel kernel -hda disk.img
	mkvm=$saved
else
	for what in "accelerator" "initrd" "disk"; do
		n=$((n + 1)); echo "ok $n - no permission for the $what # SKIP needs root and setpriv"
	done
fi

echo "1..$n"
exit $failed
