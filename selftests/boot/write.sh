# SPDX-License-Identifier: GPL-2.0
# In the guest: writes a file on the root disk and the raw second disk, and says what it wrote.
echo "release=$(uname -r) cpus=$(nproc) debian=$(cat /etc/debian_version)"
grep -q '^/dev/vda / ext4 rw' /proc/mounts && echo "root=vda"
dd if=/dev/urandom of=/root/data bs=64k count=32 2>/dev/null && sync
cd /root && sha256sum data >data.sum
echo "sum=$(cut -c1-64 data.sum)"
dd if=/dev/vda of=/dev/null bs=1M count=16 2>&1 | grep 'records out'
dd if=/dev/urandom of=/dev/vdb bs=64k count=64 2>/dev/null && sync
echo "disk=$(dd if=/dev/vdb bs=64k count=64 2>/dev/null | sha256sum | cut -c1-64)"
