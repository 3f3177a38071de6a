# SPDX-License-Identifier: GPL-2.0
# Turns "@@BENCH SIDE NAME VALUE" lines into a table and, in the file named by json, into JSON.
# Fails when a figure of either side is missing.
function row(name, text) {
	names[++n] = name
	title[name] = text
}

BEGIN {
	row("cpuid", "CPUID exit")
	row("cpuid_leaf_1", "CPUID exit, leaf 1")
	row("hypercall", "hypercall exit")
	row("pio_write", "OUT to userspace and back")
	row("pio_read", "IN from userspace and back")
	row("mmio_write", "MMIO write to userspace and back")
	row("mmio_read", "MMIO read from userspace and back")
	row("touch_4k", "first touch, 4 KiB page the host has")
	row("touch_2m", "first touch, 2 MiB page the host has")
	row("touch_4k_absent", "first touch, 4 KiB page the host lacks")
	row("touch_2m_absent", "first touch, 2 MiB page the host lacks")
	row("tick", "the host's timer tick under the guest")
	row("ipi", "IPI to a halted vCPU and its answer")
	row("ipi_smp", "... with a host CPU each")
	row("ioeventfd_pio", "ioeventfd on a port")
	row("ioeventfd_mmio", "ioeventfd on MMIO, four bytes")
	row("ioeventfd_any", "ioeventfd on MMIO, any length")
	row("irqfd", "irqfd to the running vCPU, and back")
	row("irqfd_halted", "irqfd to a halted vCPU, and its answer")
	row("irqfd_halted_smp", "... with a host CPU each")
	row("self_ipi", "self-IPI, xAPIC, and back")
	row("self_ipi_x2apic", "self-IPI, x2APIC, and back")
	row("tsc_deadline", "TSC deadline to its handler, running")
	row("tsc_deadline_halted", "TSC deadline to its handler, halted")
	row("dirty", "first write to a 4 KiB page, logged")
	row("boot", "boot of the Debian guest to init")
}

$1 == "@@BENCH" && NF == 4 && $4 ~ /^[0-9]+$/ { value[$3, $2] = $4 }

END {
	printf "%-40s %14s %14s %8s\n", "instructions", "stock KVM", "mini-KVM", "ratio"
	printf "[\n" >json
	for (i = 1; i <= n; i++) {
		name = names[i]
		a = value[name, "stock"]
		b = value[name, "minikvm"]
		ratio = a != "" && b != "" && a > 0 ? sprintf("%.3f", b / a) : "-"
		printf "%-40s %14s %14s %8s\n", title[name], a == "" ? "-" : a, b == "" ? "-" : b, ratio
		printf "  {\"name\": \"%s\", \"stock\": %s, \"minikvm\": %s, \"ratio\": %s}%s\n", name,
			a == "" ? "null" : a, b == "" ? "null" : b, ratio == "-" ? "null" : ratio,
			i < n ? "," : "" >json
		missing += ratio == "-"
	}
	printf "]\n" >json
	if (missing) {
		print "bench: " missing " figures are missing" >"/dev/stderr"
		exit 1
	}
}
