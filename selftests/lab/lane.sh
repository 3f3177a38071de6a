# SPDX-License-Identifier: GPL-2.0
# Sourced: where things run. LANE=native|vmx|svm overrides the choice.
# shellcheck shell=bash

fail() { echo "$(basename "$0"): $*" >&2; exit 1; }

# Native if this machine has VT-x, we are root and the running kernel's headers are here;
# otherwise the lab's VMX lane.
choose_lane() {
	lane=${LANE:-}
	if [ -z "$lane" ]; then
		lane=vmx
		if grep -qw vmx /proc/cpuinfo && [ "$(id -u)" -eq 0 ] &&
			[ -d "/lib/modules/$(uname -r)/build" ]; then
			lane=native
		fi
	fi
	case "$lane" in
	native|vmx|svm) ;;
	*) fail "LANE='$lane': native, vmx or svm" ;;
	esac
}

# The newest stock kernel here that has an image, modules and headers.
stock_kernel() {
	local k
	if [ -n "${LAB_KVER:-}" ]; then
		[ -r "/boot/vmlinuz-$LAB_KVER" ] || fail "LAB_KVER='$LAB_KVER': no /boot/vmlinuz-$LAB_KVER"
		echo "$LAB_KVER"
		return
	fi
	for k in $(printf '%s\n' /boot/vmlinuz-* | sed 's,.*/vmlinuz-,,' | sort -rV); do
		if [ -d "/lib/modules/$k/kernel" ] && [ -f "/lib/modules/$k/build/Makefile" ]; then
			echo "$k"
			return
		fi
	done
	fail "no stock kernel with headers: install linux-image-amd64 and linux-headers-amd64"
}

# What somebody at the lab host's shell finds in /lab: sets ${guest_files[@]}, arguments of lab.
# Needs $top and $kver; what is not built yet is left out.
guest_files() {
	local initramfs root vmx file bench=$top/selftests/out/bench
	{ read -r initramfs; read -r root; } < <("$top/selftests/lab/guest-image" "$kver") || true
	vmx=$("$top/selftests/lab/build-module" "$kver" --tests) || true
	guest_files=()
	for file in "$top/userspace/mkvm" "/boot/vmlinuz-$kver:/lab/guest-vmlinuz" \
		"${initramfs:-}:/lab/guest-initramfs" "${root:-}:/lab/guest-root.img" \
		"${vmx:-}/first_exit.ko" "${vmx:-}/vmcs_rules.ko" "$bench/exit_bench" "$bench/guest_bench"; do
		[ ! -e "${file%%:*}" ] || guest_files+=(--file "$file")
	done
}
