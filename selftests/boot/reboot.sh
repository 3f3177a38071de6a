# SPDX-License-Identifier: GPL-2.0
# In the guest: resets the machine, the way the kernel command line says.
reboot -f
