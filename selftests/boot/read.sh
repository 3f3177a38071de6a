# SPDX-License-Identifier: GPL-2.0
# In the guest, booted again: what write.sh wrote is still there, a third
# disk and a fourth one (qcow2, over a backing image) work, too; random bytes go out on the virtio
# console; both CPUs work and interrupt each other.
echo "cpus=$(nproc)"
cd /root && sha256sum -c data.sum
echo "sum=$(sha256sum <data | cut -c1-64)"
echo "disk=$(dd if=/dev/vdb bs=64k count=64 2>/dev/null | sha256sum | cut -c1-64)"
dd if=/dev/urandom of=/dev/vdc bs=64k count=64 2>/dev/null && sync
echo "vdi=$(dd if=/dev/vdc bs=64k count=64 2>/dev/null | sha256sum | cut -c1-64)"
# No line feeds, before which a terminal puts a carriage return.
head -c 8192 /dev/hwrng | tr -d '\n' | head -c 4096 >/tmp/random
echo "rng=$(cat /sys/class/misc/hw_random/rng_current) $(wc -c </tmp/random)"
cat /tmp/random >/dev/hvc0
echo "hvc=$(sha256sum </tmp/random | cut -c1-64)"
mount -o ro,noload /dev/vdd /mnt && cmp /mnt/etc/debian_version /etc/debian_version && echo "below: OK"
umount /mnt
dd if=/dev/vdc of=/dev/vdd bs=64k count=64 conv=fsync 2>/dev/null
blkdiscard -o 1048576 -l 1050624 /dev/vdd
dd if=/dev/urandom of=/dev/vdd bs=512 seek=3000 count=9 conv=fsync 2>/dev/null
echo "qcow2=$(dd if=/dev/vdd bs=64k count=64 2>/dev/null | sha256sum | cut -c1-64)"
for cpu in 0 1; do
	taskset $((cpu + 1)) sh -c 'i=0; while [ $i -lt 20 ]; do cat /proc/stat | wc -l >/dev/null; i=$((i + 1)); done' &
done
wait
awk '/^ *(RES|CAL|TLB|LOC):/ { print "irq " $1 " " $2 " " $3 }' /proc/interrupts
exit 7
