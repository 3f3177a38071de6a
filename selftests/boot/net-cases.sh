#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# On the lab host: Debian guests on networks of each kind copy files to each other and to the host.
# Prints TAP. Beside it lie mkvm, guest-vmlinuz, guest-initramfs, guest-root.img and net-guest.sh.
# usage: [ACCEL=kvm] net-cases.sh [user|bridge|macvtap|stream|typed|vhost...]
set -u
cd "$(dirname "$0")" || exit 1
accel=${ACCEL:-minikvm}
limit=${LIMIT:-500}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
. ./points.sh

mkdir "$work/more" "$work/www"
cp net-guest.sh "$work/more/run-cmd"
{ cat guest-initramfs; (cd "$work/more" && echo run-cmd | cpio -o -H newc 2>/dev/null); } >"$work/initrd"
rm -rf "$work/more"

# start VM ME PEER OPTION... : in the background, console in $work/VM
start() {
	vm=$1 me=$2 peer=$3
	shift 3
	: >"$work/$vm"
	cp guest-root.img "$work/$vm.img"
	timeout -s KILL "$limit" ./mkvm run --accel "$accel" -name "$vm" -pidfile "$work/$vm.pid" -m 128 -kernel ./guest-vmlinuz \
		-initrd "$work/initrd" -hda "$work/$vm.img" -serial "file:$work/$vm" -nographic \
		-append "console=ttyS0,115200 loglevel=5 cryptomgr.notests mkvm.me=$me mkvm.peer=$peer mkvm.mtu= ${words:-}" \
		"$@" </dev/null >"$work/$vm.log" 2>&1 &
	eval "${vm}_pid=$!"
}

# finish VM : waits for its end
finish() {
	eval "pid=\$${1}_pid"
	code=0
	wait "$pid" || code=$?
	[ "$code" -eq 0 ] && [ ! -s "$work/$1.log" ]; point $? "$1 ends well, without a message"
	! grep -qE 'Call Trace|BUG:|Oops|stall|NETDEV WATCHDOG' "$work/$1"; point $? "the kernel of $1 is content"
	grep -q '^3 packets transmitted, 3 packets received' "$work/$1" ; point $? "$1 pings its peer"
	sed -n 's/^irq /# '"$1"' &/p' "$work/$1" | tr -d '\r'
	[ ! -d /lab/out ] || cp "$work/$1" "/lab/out/$name-$1"
}

value() { sed -n "s/^$2=//p" "$work/$1" | tr -d '\r' | head -n 1; }
sum() { sha256sum <"$1" | cut -c1-64; }
same() { [ -n "$1" ] && [ "$1" = "$2" ]; }

tell() {
	[ "$show" -eq 1 ] || return 0
	for vm in "$@"; do
		sed "s/^/# $vm: /" "$work/$vm.log"
		tail -n 30 "$work/$vm" | tr -d '\r' | sed "s/^/# $vm: /"
	done
}

# Two guests, a and b, that are on one network and have been started.
both() {
	finish a
	finish b
	same "$(value a got)" "$(value b mine)"; point $? "a has b's file"
	same "$(value b got)" "$(value a mine)"; point $? "b has a's file"
	tell a b
}

user_case() {
	head -c 1500001 /dev/urandom >"$work/www/file"
	echo yes >"$work/www/done"
	busybox httpd -f -p 127.0.0.1:8080 -h "$work/www" &
	server=$!
	start a dhcp 10.0.2.2:8080 -nic user,hostfwd=tcp:127.0.0.1:2280-:80
	i=0
	while [ $i -lt "$limit" ] && ! grep -q '^got=' "$work/a"; do sleep 1; i=$((i + 1)); done
	rm -f "$work/back"
	i=0
	while [ $i -lt 20 ] && ! timeout 20 busybox wget -q -O "$work/back" http://127.0.0.1:2280/file; do
		sleep 1; i=$((i + 1))
	done
	# Of interest: frames for each interrupt.
	./mkvm info a 2>&1 | grep -A 12 net0 | sed 's/^/# /'
	finish a
	kill $server
	[ "$(value a leased | cut -d' ' -f1)" = 10.0.2.15 ]; point $? "an address by DHCP"
	same "$(value a got)" "$(sum "$work/www/file")"; point $? "the guest has the host's file"
	same "$(sum "$work/back")" "$(value a mine)"; point $? "the host has the guest's, through a forwarded port"
	tell a
}

bridge_case() {
	brctl addbr lab-br && ip addr add 10.9.0.254/24 dev lab-br && ip link set lab-br up
	point $? "the host has a bridge"
	tunctl -t mine0 >/dev/null && brctl addif lab-br mine0 && ip link set mine0 up
	point $? "and a tap on it"
	start a 10.9.0.1 10.9.0.2:80 -smp 2 -netdev tap,id=n,br=lab-br,queues=2 \
		-device virtio-net-pci,netdev=n,mac=52:54:00:00:09:01
	start b 10.9.0.2 10.9.0.1:80 -net nic,model=virtio -net tap,ifname=mine0,script=no,downscript=no
	both
	[ "$(value a queues)" = 2 ]; point $? "a uses two pairs of queues"
	! ls -d /sys/class/net/tap* >/dev/null 2>&1; point $? "its tap is gone"
	[ -e /sys/class/net/mine0 ]; point $? "the host's is still there"
	tunctl -d mine0 >/dev/null
	ip link set lab-br down && brctl delbr lab-br
}

macvtap_case() {
	modprobe dummy && ip link set dummy0 up
	point $? "the host has an interface"
	start a 10.9.0.1 10.9.0.2:80 -nic macvtap,dev=dummy0
	# The kernel cannot raise a pin.
	modprobe vhost_net && words=pci=nomsi
	start b 10.9.0.2 10.9.0.1:80 -nic macvtap,dev=dummy0,vhost=on
	words='' i=0
	while [ $i -lt "$limit" ] && ! grep -q '^got=' "$work/b"; do sleep 1; i=$((i + 1)); done
	[ "$(counter b vhost_forwarded_interrupts)" -gt 50 ]; point $? "vhost-net serves b, mkvm raises its pin"
	both
	! ls -d /sys/class/net/macvtap* >/dev/null 2>&1; point $? "the interfaces are gone"
	start a 10.9.0.1 10.9.0.2:80 -nic macvtap,dev=dummy0,ifname=killed0
	i=0
	while [ $i -lt 20 ] && [ ! -e /sys/class/net/killed0 ]; do sleep 1; i=$((i + 1)); done
	[ -e /sys/class/net/killed0 ]; point $? "mkvm makes an interface"
	kill -KILL "$(cat "$work/a.pid")"
	# shellcheck disable=SC2154
	wait "$a_pid" 2>/dev/null
	i=0
	while [ $i -lt 20 ] && [ -e /sys/class/net/killed0 ]; do sleep 1; i=$((i + 1)); done
	[ ! -e /sys/class/net/killed0 ]; point $? "it is gone when mkvm is killed"
}

stream_case() {
	start a 10.9.0.1 10.9.0.2:80 -nic "stream,server=on,addr.type=unix,addr.path=$work/cable"
	i=0
	while [ $i -lt 20 ] && [ ! -S "$work/cable" ]; do sleep 1; i=$((i + 1)); done
	start b 10.9.0.2 10.9.0.1:80 -nic "stream,addr.type=unix,addr.path=$work/cable"
	both
	[ ! -e "$work/cable" ]; point $? "the socket is gone"
}

# The line that people type to QEMU, word for word; tap0 is there already, and the disk is a qcow2 image.
typed_case() {
	tunctl -t tap0 >/dev/null && ip addr add 10.9.1.254/24 dev tap0 && ip link set tap0 up
	point $? "the host has tap0"
	head -c 600001 /dev/urandom >"$work/www/file"
	echo yes >"$work/www/done"
	busybox httpd -f -p 10.9.1.254:8080 -h "$work/www" &
	server=$!
	./mkvm img convert -q -f raw -O qcow2 guest-root.img "$work/ubuntutest.qcow2" || exit 1
	K=$PWD/guest-vmlinuz I=$work/initrd
	A="console=ttyS0,115200 loglevel=5 cryptomgr.notests mkvm.me=10.9.1.1 mkvm.peer=10.9.1.254:8080"
	PATH=$PWD:$PATH extra=''
	[ "$accel" = minikvm ] || extra="-accel $accel"
	(
		cd "$work" || exit 1
		# shellcheck disable=SC2086
		mkvm() { timeout -s KILL "$limit" mkvm "$@" $extra; }
		mkvm run -enable-kvm -name ubuntutest -m 2048 -smp 2 -kernel "$K" -initrd "$I" -append "$A" -hda ubuntutest.qcow2 -net nic,model=virtio -net tap,ifname=tap0,script=no,downscript=no -nographic
	) </dev/null >"$work/ubuntutest" 2>"$work/ubuntutest.log" &
	ubuntutest_pid=$!
	i=0
	while [ $i -lt "$limit" ] && ! grep -q '^got=' "$work/ubuntutest"; do sleep 1; i=$((i + 1)); done
	rm -f "$work/back"
	timeout 20 busybox wget -q -O "$work/back" http://10.9.1.1/file
	finish ubuntutest
	kill $server
	same "$(value ubuntutest got)" "$(sum "$work/www/file")"; point $? "the guest has the host's file"
	same "$(sum "$work/back")" "$(value ubuntutest mine)"; point $? "the host has the guest's"
	./mkvm img check -q "$work/ubuntutest.qcow2"; point $? "the image is sound"
	[ -e /sys/class/net/tap0 ]; point $? "tap0 is still there"
	tunctl -d tap0 >/dev/null
	tell ubuntutest
}

# A number that `mkvm info VM` tells of the network.
counter() { ./mkvm info "$1" 2>&1 | sed -n "s/^net0.* $2 \([0-9]*\).*/\1/p"; }
sysfs() { cat "/sys/class/net/$1/statistics/$2"; }

# Frames moved by the host's kernel; the guest takes the driver off and puts it back at the end.
vhost_case() {
	./mkvm run -accel "$accel" -m 128 -kernel ./guest-vmlinuz -nic tap,ifname=vh0,vhost=on 2>"$work/log"
	[ $? -eq 1 ] && grep -q 'no /dev/vhost-net (modprobe vhost_net)' "$work/log" && [ ! -e /sys/class/net/vh0 ]
	point $? "without the module, mkvm says what is missing and leaves no interface"
	modprobe vhost_net && brctl addbr lab-br && ip addr add 10.9.0.254/24 dev lab-br && ip link set lab-br up
	point $? "the host has vhost-net and a bridge"
	head -c 1500001 /dev/urandom >"$work/www/file"
	echo no >"$work/www/done"
	busybox httpd -f -p 10.9.0.254:8080 -h "$work/www" &
	server=$!
	words=mkvm.rebind
	start a 10.9.0.1 10.9.0.254:8080 -smp 2 -netdev tap,id=n,ifname=vh0,br=lab-br,queues=2,vhost=on \
		-device virtio-net-pci,netdev=n
	words=
	i=0
	while [ $i -lt "$limit" ] && ! grep -q '^got=' "$work/a"; do sleep 1; i=$((i + 1)); done
	rm -f "$work/back"
	timeout 20 busybox wget -q -O "$work/back" http://10.9.0.1/file
	[ "$(counter a vhost_queues)" = 4 ]; point $? "the queues are the kernel's"
	./mkvm pause a && [ "$(counter a vhost_queues)" = 0 ]; point $? "not while the guest is paused"
	seen=$(sysfs vh0 tx_packets)
	! ping -q -c 1 -W 1 10.9.0.1 >/dev/null && [ "$(sysfs vh0 tx_packets)" = "$seen" ]
	point $? "then it gets no frame"
	./mkvm resume a && ping -q -c 3 -W 5 10.9.0.1 >/dev/null && [ "$(counter a vhost_queues)" = 4 ]
	point $? "resumed, it goes on"
	[ "$(counter a vhost_forwarded_interrupts)" -lt 20 ]; point $? "interrupts go from kernel to kernel"
	sent=$(($(sysfs vh0 rx_bytes) / $(sysfs vh0 rx_packets))) got=$(($(sysfs vh0 tx_bytes) / $(sysfs vh0 tx_packets)))
	echo "# bytes per frame: from the guest $sent, to the guest $got"
	[ $sent -gt 1600 ] && [ $got -gt 1600 ]; point $? "frames are longer than the wire's, in both directions"
	echo yes >"$work/www/done"
	finish a
	kill $server
	same "$(value a got)" "$(sum "$work/www/file")"; point $? "the guest has the host's file"
	same "$(value a again)" "$(sum "$work/www/file")"; point $? "and again, with the driver anew"
	same "$(sum "$work/back")" "$(value a mine)"; point $? "the host has the guest's"
	[ "$(value a queues)" = 2 ]; point $? "two pairs of queues are used"
	[ ! -e /sys/class/net/vh0 ]; point $? "the tap is gone"
	ip link set lab-br down && brctl delbr lab-br
	tell a
}

modprobe -a tun bridge macvtap 2>/dev/null
for name in "${@:-user}"; do
	show=0
	case "$name" in
	user|bridge|macvtap|stream|typed|vhost) "${name}_case" ;;
	*) echo "Bail out! unknown case '$name'"; exit 1 ;;
	esac
done
end_points
