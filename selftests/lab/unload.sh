#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# After the last VM: minikvm unloads, stock KVM loads and turns VMX on, and minikvm (./minikvm.ko)
# comes back.
n=0 bad=0
point() {
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi
}

rmmod minikvm
point $? "minikvm unloads after the last VM"
! grep -q '^minikvm ' /proc/modules
point $? "it is gone"
[ ! -e /dev/minikvm ]
point $? "and so is its device"
modprobe kvm-intel
point $? "kvm-intel loads afterwards"
[ ! -x api/vm_create_test ] || { DEV=/dev/kvm api/vm_create_test >/dev/null; [ $? -ne 1 ]; }
point $? "and makes a VM"
rmmod kvm_intel
point $? "kvm-intel unloads"
insmod ./minikvm.ko
point $? "minikvm loads again"
[ ! -x api/vm_create_test ] || { api/vm_create_test >/dev/null; [ $? -ne 1 ]; }
point $? "and makes a VM"
echo "1..$n"
exit $bad
