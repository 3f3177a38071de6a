# SPDX-License-Identifier: GPL-2.0
# In the guest: what virtio-blk offers besides reading and writing, on /dev/vdc: two queues, serial
# number, discard, zeroing, a cache that can be switched, and a reset with requests in flight.
q=/sys/block/vdc/queue
echo "queues=$(ls /sys/block/vdc/mq | wc -l) serial=$(cat /sys/block/vdc/serial)"
echo "sizes=$(cat $q/logical_block_size)/$(cat $q/physical_block_size)/$(cat $q/minimum_io_size)"
echo "cache=$(cat $q/write_cache)"
echo "discard=$(cat $q/discard_max_bytes) zeroes=$(cat $q/write_zeroes_max_bytes)"
dd if=/dev/urandom of=/tmp/data bs=64k count=64 2>/dev/null
want=$(sha256sum </tmp/data)
for cpu in 1 2; do
	taskset $cpu dd if=/tmp/data of=/dev/vdc bs=64k count=64 seek=$((cpu * 64)) conv=fsync 2>/dev/null &
done
wait
echo 3 >/proc/sys/vm/drop_caches
for cpu in 1 2; do
	[ "$(dd if=/dev/vdc bs=64k count=64 skip=$((cpu * 64)) 2>/dev/null | sha256sum)" = "$want" ] && echo "queue $cpu: OK"
done
blkdiscard -o 4194304 -l 4194304 /dev/vdc && echo "blkdiscard: OK"
[ "$(dd if=/dev/vdc bs=64k count=64 skip=128 2>/dev/null | sha256sum)" = "$want" ] && echo "the rest stayed: OK"
echo "write through" >/sys/block/vdc/cache_type && echo "cache=$(cat $q/write_cache)"
dd if=/tmp/data of=/dev/vdc bs=1M count=4 2>/dev/null && sync
echo "write back" >/sys/block/vdc/cache_type && echo "cache=$(cat $q/write_cache)"
mke2fs /dev/vdc >/dev/null 2>&1 && mount /dev/vdc /mnt && cp /tmp/data /mnt/ && sync && rm /mnt/data &&
	fstrim /mnt && umount /mnt && echo "fstrim: OK"
# The driver resets the device while another process reads from it.
dev=$(basename "$(readlink -f /sys/block/vdc/device)")
dd if=/dev/vdc of=/dev/null bs=4k 2>/dev/null &
echo "$dev" >/sys/bus/virtio/drivers/virtio_blk/unbind
wait
echo "$dev" >/sys/bus/virtio/drivers/virtio_blk/bind
dd if=/tmp/data of=/dev/vdc bs=64k conv=fsync 2>/dev/null
echo "disk=$(dd if=/dev/vdc bs=64k count=64 2>/dev/null | sha256sum | cut -c1-64)"
# The host looks into this guest (inspect.sh) and writes "done" behind what others use of /dev/vdb.
i=0
until [ "$(dd if=/dev/vdb bs=512 skip=16000 count=1 2>/dev/null | head -c 4)" = "done" ] || [ $i -ge 300 ]; do
	i=$((i + 1))
	sleep 1
	echo 3 >/proc/sys/vm/drop_caches
done
