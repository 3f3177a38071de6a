// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the layout of the reading interface: it does not change by accident, it shares
 * no ioctl number with KVM's, and the list of VMCS fields is what the manual's rules for
 * encodings allow.
 */
#include <stddef.h>
#include <stdint.h>
#include <linux/kvm.h>

#include "minikvm_inspect.h"
#include "minikvm_vmcs.h"
#include "tap.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define CMD(c, d, n, s)	{ #c, MINIKVM_##c, d, n, s }
static const struct {
	const char *name;
	unsigned int cmd, dir, nr, size;
} cmds[] = {
	CMD(INSPECT_VMCS, _IOC_READ | _IOC_WRITE, 0x00, 72),
	CMD(INSPECT_BITMAPS, _IOC_READ | _IOC_WRITE, 0x01, 40),
	CMD(INSPECT_LAPIC, _IOC_READ | _IOC_WRITE, 0x02, 1048),
	CMD(EXIT_RING, _IOC_READ | _IOC_WRITE, 0x03, 8),
	CMD(EXIT_RING_READ, _IOC_READ | _IOC_WRITE, 0x04, 48),
	CMD(INSPECT_CAPS, _IOC_READ, 0x10, 296),
	CMD(INSPECT_EPT, _IOC_READ | _IOC_WRITE, 0x11, 56),
	CMD(INSPECT_SLOTS, _IOC_READ | _IOC_WRITE, 0x12, 16),
	CMD(INSPECT_IRQCHIP, _IOC_READ | _IOC_WRITE, 0x13, 520),
	CMD(INSPECT_PIT, _IOC_READ, 0x14, 112),
};

#define OFF(s, f, o)	{ #s "." #f, offsetof(struct minikvm_##s, f), o }
static const struct {
	const char *name;
	size_t got, want;
} offsets[] = {
	OFF(inspect_field, value, 8),
	OFF(inspect_vmcs, nr, 8), OFF(inspect_vmcs, pending, 20), OFF(inspect_vmcs, exits, 24),
	OFF(inspect_vmcs, rip, 40), OFF(inspect_vmcs, fields, 64),
	OFF(inspect_bitmaps, present, 8), OFF(inspect_bitmaps, msr, 16),
	OFF(inspect_lapic, mp_state, 8), OFF(inspect_lapic, apic_base, 16),
	OFF(inspect_lapic, regs, 24),
	OFF(exit_entry, guest_ticks, 24), OFF(exit_entry, qualification, 56),
	OFF(exit_entry, gpa, 72), OFF(exit_entry, reason, 80), OFF(exit_entry, flags, 96),
	OFF(exit_entry, run_reason, 100),
	OFF(exit_ring_read, seq, 8), OFF(exit_ring_read, tsc_khz, 32),
	OFF(exit_ring_read, entries, 40),
	OFF(inspect_caps, valid, 8), OFF(inspect_caps, value, 16),
	OFF(inspect_caps, phys_bits, 272),
	OFF(inspect_range, bytes, 16), OFF(inspect_range, level, 24), OFF(inspect_range, slot, 36),
	OFF(inspect_ept, gpa, 8), OFF(inspect_ept, root, 24), OFF(inspect_ept, max_level, 40),
	OFF(inspect_ept, ranges, 48),
	OFF(inspect_slot, hva, 16), OFF(inspect_slot, flags, 28),
	OFF(inspect_slots, slots, 8),
};

#define SIZE(s, n)	{ #s, sizeof(struct minikvm_##s), n }
static const struct {
	const char *name;
	size_t got, want;
} sizes[] = {
	SIZE(inspect_field, 16), SIZE(exit_entry, 104), SIZE(inspect_range, 40),
	SIZE(inspect_slot, 32), SIZE(failed_entry, 136),
};

#define FIELD(encoding, id, name)	{ encoding, #id, name },
static const struct {
	uint32_t encoding;
	const char *id, *name;
} fields[] = {
	MINIKVM_VMCS_FIELDS(FIELD)
};

static void test_ioctls(void)
{
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		tap_eq(cmds[i].cmd, _IOC(cmds[i].dir, 0xBE, cmds[i].nr, cmds[i].size), "%s",
		       cmds[i].name);
		for (j = 0; j < i; j++)
			if (_IOC_NR(cmds[i].cmd) == _IOC_NR(cmds[j].cmd))
				tap_ok(false, "%s is not %s", cmds[i].name, cmds[j].name);
	}
	tap_ok(MINIKVM_INSPECTIO != KVMIO, "their magic is not KVM's");
	for (i = 0; i < ARRAY_SIZE(offsets); i++)
		tap_eq(offsets[i].got, offsets[i].want, "offset of %s", offsets[i].name);
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		tap_eq(sizes[i].got, sizes[i].want, "size of %s", sizes[i].name);
}

/* The name of the field at @encoding tells its area, where it tells one. */
static bool area_fits(uint32_t encoding, const char *id)
{
	unsigned int area = MINIKVM_VMCS_AREA(encoding);

	if (!strncmp(id, "HOST_", 5))
		return area == MINIKVM_VMCS_AREA_HOST;
	/* Two of the exit information are about the guest, too. */
	if (!strncmp(id, "GUEST_", 6))
		return area == MINIKVM_VMCS_AREA_GUEST || strstr(id, "_ADDRESS");
	return area != MINIKVM_VMCS_AREA_HOST;
}

static void test_fields(void)
{
	bool sorted = true, full = true, area = true, reserved = true, names = true;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		uint32_t e = fields[i].encoding;

		if (i && e <= fields[i - 1].encoding)
			sorted = false;
		full &= !(e & 1);
		/* Bits 12, 15 and up are reserved. */
		reserved &= !(e & ~0x6ffeU);
		area &= area_fits(e, fields[i].id);
		names &= fields[i].name[0] != '\0';
	}
	tap_eq(MINIKVM_VMCS_NR_FIELDS, ARRAY_SIZE(fields), "the number of VMCS fields");
	tap_ok(sorted, "they are in the order of their encodings, each once");
	tap_ok(full && reserved, "no encoding has a bit it must not have");
	tap_ok(area, "what is called guest or host is of that area");
	tap_ok(names, "each has a name");
	tap_ok(MINIKVM_VMCS_WIDTH(VMCS_F_GUEST_CS_SELECTOR) == MINIKVM_VMCS_WIDTH_16 &&
	       MINIKVM_VMCS_WIDTH(VMCS_F_EPT_POINTER) == MINIKVM_VMCS_WIDTH_64 &&
	       MINIKVM_VMCS_WIDTH(VMCS_F_VM_EXIT_REASON) == MINIKVM_VMCS_WIDTH_32 &&
	       MINIKVM_VMCS_WIDTH(VMCS_F_GUEST_RIP) == MINIKVM_VMCS_WIDTH_NATURAL,
	       "the width is in the encoding");
}

int main(void)
{
	tap_plan(0);
	test_ioctls();
	test_fields();
	return tap_done();
}
