# SPDX-License-Identifier: GPL-2.0
# Sourced by check-jobs.sh: the jobs that run Debian's QEMU on either hypervisor.
# shellcheck shell=bash disable=SC2154

# Debian's QEMU, on the device that is given as /dev/kvm. usage: qemu JOB LINK LAB-ARGUMENT...
. "$compat/qemu-ship.sh"

qemu_on() {
	local job=$1 device=$2 dir=$work/$1 initramfs iso disk elf ship=()
	shift 2
	{ read -r initramfs; read -r iso; read -r disk; read -r elf; } < <("$compat/qemu-images" "$kver") || return 1
	mkdir -p "$dir"
	cp "$top/selftests/lib/points.sh" "$compat"/{run-qemu.sh,qemu.cfg} "$dir/"
	cp "$initramfs" "$dir/initramfs"
	cp "$iso" "$dir/grub.iso"
	cp "$disk" "$dir/disk.qcow2"
	cp "/boot/vmlinuz-$kver" "$dir/vmlinuz"
	cp "$elf" "$dir/vmlinux"
	cp /usr/lib/ipxe/ipxe.iso "$dir/"
	cp /boot/memtest86+x64.bin "$dir/memtest64.bin"
	cp /boot/memtest86+ia32.bin "$dir/memtest32.bin"
	qemu_ship
	ship+=(--file /usr/share/qemu/qboot.rom:/usr/share/qemu/bios-microvm.bin)
	echo "2400 compat/qemu DEVICE=$device sh ./run-qemu.sh" >"$dir/tap.list"
	run_tap "$job" "$dir" 2600 --lane "$lane" --kver "$kver" --mem 1536 \
		"${ship[@]}" "$@"
}

job_qemu() {
	native_module=$module
	qemu_on qemu /dev/minikvm --module "$module $(minikvm_params)"
}

job_qemu_stock() {
	native_module=kvm-intel
	qemu_on qemu-stock /dev/kvm --module kvm-intel
}
