# SPDX-License-Identifier: GPL-2.0
# In the guest, for net-cases.sh: gets an address, fetches a file from the peer, gives it one, and
# says what it saw. The kernel command line holds mkvm.me=ADDRESS or dhcp, and mkvm.peer=URL; with
# mkvm.rebind, the driver is taken off the device and put back, and the file fetched again.
# shellcheck shell=sh
for word in $(cat /proc/cmdline); do
	case "$word" in
	mkvm.me=*) me=${word#*=} ;;
	mkvm.peer=*) peer=${word#*=} ;;
	mkvm.rebind) rebind=1 ;;
	mkvm.mtu=*) echo "mtu=$(cat /sys/class/net/eth0/mtu)" ;;
	esac
done
cat >/tmp/dhcp-script <<'X'
#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add "$ip/${mask:-24}" dev "$interface"
ip route add default via "$router"
echo "leased=$ip router=$router dns=$dns"
X
chmod 755 /tmp/dhcp-script
ip link set eth0 up || exit 1
echo "carrier=$(cat /sys/class/net/eth0/carrier) mac=$(cat /sys/class/net/eth0/address)"
if [ "$me" = dhcp ]; then
	udhcpc -i eth0 -n -q -t 10 -T 2 -s /tmp/dhcp-script || exit 1
else
	ip addr add "$me/24" dev eth0
fi
mkdir /tmp/www
head -c 700001 /dev/urandom >/tmp/www/file
echo "mine=$(sha256sum </tmp/www/file | cut -c1-64)"
httpd -p 80 -h /tmp/www

tries=0
until timeout 10 wget -q -O /tmp/got "http://$peer/file" || [ $tries -ge 30 ]; do
	tries=$((tries + 1))
	sleep 1
done
echo "got=$(sha256sum </tmp/got | cut -c1-64)"
ping -c 3 -W 5 "${peer%:*}" | grep 'packets received'
echo yes >/tmp/www/done
# The peer may need us for a while.
tries=0
until [ "$(timeout 10 wget -q -O - "http://$peer/done")" = yes ] || [ $tries -ge 30 ]; do
	tries=$((tries + 1))
	sleep 1
done
if [ -n "${rebind:-}" ]; then
	dev=$(basename "$(readlink -f /sys/class/net/eth0/device)")
	echo "$dev" >/sys/bus/virtio/drivers/virtio_net/unbind
	echo "$dev" >/sys/bus/virtio/drivers/virtio_net/bind
	ip link set eth0 up
	ip addr add "$me/24" dev eth0
	timeout 30 wget -q -O /tmp/again "http://$peer/file"
	echo "again=$(sha256sum </tmp/again | cut -c1-64)"
fi
sleep 2
echo "queues=$(ls -d /sys/class/net/eth0/queues/rx-* | wc -l)"
grep -E 'virtio.*-(input|output)' /proc/interrupts | sed 's/^/irq /'
cd /sys/class/net/eth0/statistics && echo "irq frames: received $(cat rx_packets), sent $(cat tx_packets)"
