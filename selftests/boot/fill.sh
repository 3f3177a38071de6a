# SPDX-License-Identifier: GPL-2.0
# In the guest: writes to /dev/vdc more than the host has room for at first, and says what it wrote.
dd if=/dev/urandom of=/dev/vdc bs=64k count=128 conv=fsync 2>/dev/null
echo "written=$?"
echo "disk=$(dd if=/dev/vdc bs=64k count=128 2>/dev/null | sha256sum | cut -c1-64)"
