#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Owns the tests of `mkvm net`, in name spaces of its own: a network gives addresses and lets its
# hosts out, and goes without a trace, also when making it fails half-way. TAP on stdout.
# MKVM: the binary to test.
set -u
export PATH=$PATH:/usr/sbin:/sbin
top=$(cd "$(dirname "$0")/../.." && pwd)
mkvm=${MKVM:-$top/userspace/mkvm}

skip() { echo "1..0 # SKIP $1"; exit 4; }
[ "$(id -u)" -eq 0 ] || skip "needs root"
for tool in ip nft unshare busybox; do command -v $tool >/dev/null || skip "$tool is not installed"; done
if [ -z "${MKVM_NET_TEST_INSIDE:-}" ]; then
	unshare -n -m -p -f true 2>/dev/null || skip "no name spaces here"
	MKVM_NET_TEST_INSIDE=1 MKVM=$mkvm exec unshare -n -m -p -f --mount-proc "$0"
fi
mount -t sysfs sysfs /sys && mount -t tmpfs tmpfs /run || skip "cannot mount in a name space"
nft list ruleset >/dev/null 2>&1 || skip "this kernel has no nftables"
ip link add probe type bridge 2>/dev/null || skip "this kernel has no bridges"
ip link del probe
ip link set lo up
mkdir -p /run/netns
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1

# shellcheck source=selftests/lib/points.sh
. "$top/selftests/lib/points.sh"
tell_failure() { sed 's/^/# /' out err 2>/dev/null; }
run() { status=0; timeout 30 "$mkvm" "$@" >out 2>err || status=$?; }
refuse() { # refuse NAME TEXT ARGUMENT...
	what=$1 text=$2
	shift 2
	run "$@"
	[ $status -eq 1 ] && [ ! -s out ] && [ "$(wc -l <err)" -eq 1 ] && grep -qF -e "$text" err
	point $? "$what"
}
snapshot() {
	ip -o link | sed 's/^[0-9]*: //' | sort
	nft list ruleset
	cat /proc/sys/net/ipv4/ip_forward
	find /run/mkvm 2>/dev/null
	pidof dnsmasq
}
no_trace() { snapshot >after; diff before after >err; }

snapshot >before
refuse "no verb" "use up, down or list" net
refuse "up without a name" "Give the network a name" net up
refuse "a name too long" "is no name of a network" net up abcdefghijklmnop
refuse "a name with a slash" "is no name of a network" net up a/b
refuse "a name with a quote" "is no name of a network" net up 'a"b'
refuse "two names" "one network at a time" net up a b
refuse "an unknown option" "'--nat' is not supported" net up --nat a
refuse "a subnet that is none" "takes a network" net up --subnet 1.2.3 a
refuse "a subnet too small" "takes a network" net up --subnet 10.0.0.0/30 a
refuse "down of what is not up" "is not up" net down a
refuse "a name an interface has" "there is an interface of this name" net up lo
[ ! -e /run/mkvm/net ]; point $? "nothing is left of all this"

echo 0 >/proc/sys/net/ipv4/ip_forward
snapshot >before
run net up --subnet 10.77.1.0/24 --no-dhcp lab0
[ $status -eq 0 ] && grep -q 'host 10.77.1.1/24' out; point $? "a network comes up"
refuse "but not twice" "is up already" net up lab0
refuse "nor another in its subnet" "in use by lab0" net up --subnet 10.77.0.0/16 lab1
run net list
grep -qE '^lab0 +10.77.1.0/24 +up' out; point $? "it is listed"
run net list --json
grep -q '"subnet": "10.77.1.0/24"' out; point $? "also as JSON"
[ "$(cat /proc/sys/net/ipv4/ip_forward)" = 1 ]; point $? "the host forwards"

# A guest behind the bridge, and a world that knows no way back to it.
ip netns add guest && ip netns add world
ip link add g0 type veth peer name eth0 netns guest
ip link add w0 type veth peer name eth0 netns world
ip link set g0 master lab0 up
ip addr add 203.0.113.1/24 dev w0 && ip link set w0 up
ip -n guest link set eth0 up && ip -n guest addr add 10.77.1.7/24 dev eth0
ip -n guest route add default via 10.77.1.1
ip -n world link set eth0 up && ip -n world addr add 203.0.113.2/24 dev eth0
ip -n world route add default via 203.0.113.1
ip netns exec guest busybox ping -c 2 -W 3 203.0.113.2 >out 2>err; point $? "its guest reaches the world, masqueraded"
! ip netns exec world busybox ping -c 1 -W 1 10.77.1.7 >out 2>err; point $? "the world does not reach it"
refuse "down while it is in use" "in use by g0" net down lab0
run net up --no-dhcp lab1
[ $status -eq 0 ] && grep -q 'host 192.168.1' out; point $? "a second network chooses its subnet"
run net down -f lab0
[ $status -eq 0 ] && [ "$(cat /proc/sys/net/ipv4/ip_forward)" = 1 ]
point $? "the first goes, by force; the second still needs forwarding"
run net down lab1
ip link del g0 && ip link del w0
[ $status -eq 0 ] && no_trace; point $? "when the last is gone, no trace is left"

if command -v dnsmasq >/dev/null; then
	run net up --subnet 10.77.1.0/24 lab0
	[ $status -eq 0 ] && grep -q DHCP out; point $? "a network with DHCP"
	ip link add g0 type veth peer name eth1 netns guest
	ip link set g0 master lab0 up
	ip -n guest addr flush dev eth1 2>/dev/null
	ip -n guest link set eth1 up
	printf '#!/bin/sh\n[ "$1" = bound ] && echo "ip=$ip router=$router"\nexit 0\n' >script
	chmod 755 script
	ip netns exec guest busybox udhcpc -i eth1 -n -q -t 5 -T 1 -s "$dir/script" >out 2>err
	grep -q 'ip=10.77.1.[0-9]* router=10.77.1.1' out; point $? "its guest gets an address"
	ip link del g0
	pid=$(cat /run/mkvm/net/lab0.pid)
	run net down lab0
	[ $status -eq 0 ] && ! kill -0 "$pid" 2>/dev/null && no_trace; point $? "and no trace is left"
	mount --bind /bin/false "$(command -v dnsmasq)"
	refuse "dnsmasq fails" "dnsmasq does not start" net up lab0
	no_trace; point $? "and no trace is left"
	umount "$(command -v dnsmasq)"
else
	for what in "a network with DHCP" "its guest gets an address" "no trace" "dnsmasq fails" "no trace"; do
		skip_point "$what" "dnsmasq is not installed"
	done
fi
mount --bind /bin/false "$(command -v nft)"
refuse "nft fails" "nft refuses the rules" net up --no-dhcp lab0
umount "$(command -v nft)"
[ ! -e /sys/class/net/lab0 ]; point $? "and the bridge is gone"
run net down lab0
no_trace; point $? "no trace is left"
ip netns del guest; ip netns del world
end_points
