# SPDX-License-Identifier: GPL-2.0
# Sourced: what of Debian's QEMU the lab host needs.
# shellcheck shell=bash

qemu_program=/usr/bin/qemu-system-x86_64
qemu_roms="kvmvapic.bin linuxboot.bin linuxboot_dma.bin multiboot.bin multiboot_dma.bin pvh.bin qboot.rom"

# Adds it to the array ship, arguments of `lab`.
qemu_ship() {
	local rom
	ship+=(--file "$qemu_program:$qemu_program" --tree /usr/share/seabios:/usr/share/seabios
		--tree /usr/lib/ipxe/qemu:/usr/lib/ipxe/qemu)
	for rom in $qemu_roms; do ship+=(--file "/usr/share/qemu/$rom:/usr/share/qemu/$rom"); done
}
