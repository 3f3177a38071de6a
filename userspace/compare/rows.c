// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the list of everything `mkvm compare` measures.
 */
#include <stdlib.h>
#include <string.h>

#include "compare/result.h"
#include "compare/rows.h"
#include "inspect/exits.h"

static const struct row_name rows[] = {
#define EXIT(name, title)                            \
	{                                            \
		name, GROUP_EXITS, title, RESULT_TSC \
	}
	EXIT("cpuid", "CPUID exit"),
	EXIT("cpuid_leaf_1", "CPUID exit, leaf 1"),
	EXIT("hypercall", "hypercall exit"),
	EXIT("pio_write", "OUT to userspace and back"),
	EXIT("pio_read", "IN from userspace and back"),
	EXIT("mmio_write", "MMIO write to userspace and back"),
	EXIT("mmio_read", "MMIO read from userspace and back"),
	EXIT("touch_4k", "first touch, 4 KiB page the host has"),
	EXIT("touch_2m", "first touch, 2 MiB page the host has"),
	EXIT("touch_4k_absent", "first touch, 4 KiB page the host lacks"),
	EXIT("touch_2m_absent", "first touch, 2 MiB page the host lacks"),
	EXIT("tick", "the host's timer tick under the guest"),
	EXIT("ipi", "IPI to a halted vCPU and its answer"),
	EXIT("ioeventfd_pio", "ioeventfd on a port"),
	EXIT("ioeventfd_mmio", "ioeventfd on MMIO, four bytes"),
	EXIT("ioeventfd_any", "ioeventfd on MMIO, any length"),
	EXIT("irqfd", "irqfd to the running vCPU, and back"),
	EXIT("irqfd_halted", "irqfd to a halted vCPU, and its answer"),
	EXIT("self_ipi", "self-IPI, xAPIC, and back"),
	EXIT("self_ipi_x2apic", "self-IPI, x2APIC, and back"),
	EXIT("tsc_deadline", "TSC deadline to its handler, running"),
	EXIT("tsc_deadline_halted", "TSC deadline to its handler, halted"),
	EXIT("dirty", "first write to a 4 KiB page, logged"),

	{ "boot", GROUP_BOOT, "start of the VMM to the guest's init", RESULT_TSC },

#define COUNTER(name, title)                              \
	{                                                 \
		name, GROUP_COUNTERS, title, RESULT_COUNT \
	}
	COUNTER("exits", "exits"),
	COUNTER("io_exits", "... port I/O"),
	COUNTER("mmio_exits", "... MMIO"),
	COUNTER("halt_exits", "... HLT"),
	COUNTER("irq_exits", "... host interrupt"),
	COUNTER("irq_window_exits", "... interrupt window"),
	COUNTER("request_irq_exits", "... userspace wants to interrupt"),
	COUNTER("signal_exits", "... signal"),
	COUNTER("hypercalls", "hypercalls"),
	COUNTER("irq_injections", "interrupts injected"),
	COUNTER("insn_emulation", "instructions emulated"),
	COUNTER("pf_taken", "EPT faults"),
	COUNTER("pf_fixed", "... that mapped memory"),
	COUNTER("pages_4k", "4 KiB pages mapped"),
	COUNTER("pages_2m", "2 MiB pages mapped"),

	{ "vm_process", GROUP_MEMORY, "the VMM with its guest's memory", RESULT_KIB },

#define VIRTIO(name, title)                           \
	{                                             \
		name, GROUP_VIRTIO, title, RESULT_TSC \
	}
	VIRTIO("blk_read_4k", "virtio-blk, read 4 KiB"),
	VIRTIO("blk_read_64k", "virtio-blk, read 64 KiB"),
	VIRTIO("blk_write_4k", "virtio-blk, write 4 KiB"),
	VIRTIO("blk_flush", "virtio-blk, write 4 KiB and flush"),
	VIRTIO("net_echo_64", "virtio-net, 64 bytes to the host and back"),
	VIRTIO("net_echo_1500", "virtio-net, 1500 bytes and back"),

	{ "many_time", GROUP_MANY, "until it runs, all started at once", RESULT_TSC },
	{ "many_kernel", GROUP_EACH, "kernel memory", RESULT_KIB },
	{ "many_process", GROUP_EACH, "the VMM with its guest's memory", RESULT_KIB },
};

const struct row_name *row_find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!strcmp(rows[i].name, name))
			return &rows[i];
	}
	return NULL;
}

void rows_list(FILE *f)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!strcmp(rows[i].group, GROUP_EXITS))
			fprintf(f, "%-20s %s\n", rows[i].name, rows[i].title);
	}
}

static void publish_reason(json_t *host, const char *column, const struct sample_set *set)
{
	bool svm = !strncmp(set->name, "svm_", 4);
	unsigned long reason = strtoul(strchr(set->name, '_') + 1, NULL, 10);
	const char *known = svm ? NULL : exit_reason_name((u32)reason);
	char title[64];

	if (svm)
		snprintf(title, sizeof(title), "SVM exit code 0x%lx", reason);
	else if (known)
		snprintf(title, sizeof(title), "%s", known);
	else
		snprintf(title, sizeof(title), "exit reason %lu", reason);
	result_add(host, column, GROUP_REASONS, title, RESULT_COUNT, set);
}

void rows_publish(json_t *host, const char *column, struct samples *s)
{
	const struct row_name *row;
	const struct sample_set *set;
	size_t i, k;

	samples_sort(s);
	/* In the order of the list, then what it does not know. */
	for (k = 0; k < ARRAY_SIZE(rows); k++) {
		for (i = 0; i < s->n; i++) {
			if (!strcmp(s->set[i].name, rows[k].name))
				result_add(host, column, rows[k].group, rows[k].title, rows[k].unit,
					   &s->set[i]);
		}
	}
	for (i = 0; i < s->n; i++) {
		set = &s->set[i];
		row = row_find(set->name);
		if (!row && (!strncmp(set->name, "reason_", 7) || !strncmp(set->name, "svm_", 4)))
			publish_reason(host, column, set);
		else if (!row)
			result_add(host, column, GROUP_EXITS, set->name, RESULT_TSC, set);
	}
	samples_free(s);
}
