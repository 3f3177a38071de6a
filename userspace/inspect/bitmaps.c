// SPDX-License-Identifier: GPL-2.0
/*
 * Tells the MSR and I/O bitmaps of a vCPU: which accesses of the guest make no exit.
 *
 * Source: Intel SDM vol. 3C (December 2023), "MSR-Bitmap Address", "I/O-Bitmap Addresses".
 */
#include <string.h>
#include <sys/ioctl.h>

#include "inspect/live.h"
#include "inspect/vmcs.h"
#include "inspect/word.h"
#include "report.h"

#define QUARTER_BITS	8192	/* MSRs that a quarter of the MSR bitmap has */

static const struct {
	u32 msr;
	const char *name;
} msr_names[] = {
	{ 0x10, "TIME_STAMP_COUNTER" }, { 0x48, "SPEC_CTRL" }, { 0x49, "PRED_CMD" },
	{ 0x10b, "FLUSH_CMD" }, { 0x174, "SYSENTER_CS" }, { 0x175, "SYSENTER_ESP" },
	{ 0x176, "SYSENTER_EIP" }, { 0x277, "PAT" }, { 0x6e0, "TSC_DEADLINE" },
	{ 0xd90, "BNDCFGS" }, { 0xda0, "XSS" }, { 0xc0000080, "EFER" }, { 0xc0000081, "STAR" },
	{ 0xc0000082, "LSTAR" }, { 0xc0000083, "CSTAR" }, { 0xc0000084, "FMASK" },
	{ 0xc0000100, "FS_BASE" }, { 0xc0000101, "GS_BASE" }, { 0xc0000102, "KERNEL_GS_BASE" },
	{ 0xc0000103, "TSC_AUX" },
};

static const char *msr_name(u32 msr)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(msr_names); i++) {
		if (msr_names[i].msr == msr)
			return msr_names[i].name;
	}
	return msr >= 0x800 && msr <= 0x8ff ? "x2APIC" : "";
}

/* The next run of clear bits from *@bit on; false: there is none. */
static bool next_clear(const u8 *map, unsigned int bits, unsigned int *bit, unsigned int *last)
{
	while (*bit < bits && (map[*bit / 8] >> (*bit % 8) & 1))
		(*bit)++;
	if (*bit == bits)
		return false;
	for (*last = *bit; *last + 1 < bits && !(map[(*last + 1) / 8] >> ((*last + 1) % 8) & 1);)
		(*last)++;
	return true;
}

/* Runs of what makes no exit, numbered from @base on: printed, or put into @list. */
static void each_run(const struct vmcs_output *out, json_t *list, const u8 *map, unsigned int bits,
		     u32 base, bool msrs)
{
	unsigned int bit, last;

	for (bit = 0; next_clear(map, bits, &bit, &last); bit = last + 1) {
		if (list) {
			json_array_append_new(list, json_pack("[I,I]", (json_int_t)(base + bit),
							      (json_int_t)(base + last)));
			continue;
		}
		if (bit == last)
			fprintf(out->f, "    0x%x", base + bit);
		else
			fprintf(out->f, "    0x%x-0x%x", base + bit, base + last);
		fprintf(out->f, "  %s\n", msrs ? msr_name(base + bit) : "");
	}
}

static void msr_half(const struct vmcs_output *out, json_t *list, const u8 *map, const char *title)
{
	if (!list)
		fprintf(out->f, "  %s\n", title);
	each_run(out, list, map, QUARTER_BITS, 0, true);
	each_run(out, list, map + QUARTER_BITS / 8, QUARTER_BITS, 0xc0000000, true);
}

void bitmaps_show(const struct vmcs_output *out, const struct vmcs_bitmaps *b)
{
	if (b->present & MINIKVM_INSPECT_BITMAP_MSR) {
		fprintf(out->f, "MSR bitmap: what makes no exit\n");
		msr_half(out, NULL, b->msr, "RDMSR of");
		msr_half(out, NULL, b->msr + 2 * QUARTER_BITS / 8, "WRMSR of");
	} else {
		fprintf(out->f, "MSR bitmap: not used; every RDMSR and WRMSR exits\n");
	}
	if ((b->present & BITMAPS_IO) == BITMAPS_IO) {
		fprintf(out->f, "I/O bitmaps: ports without an exit\n");
		each_run(out, NULL, b->io, sizeof(b->io) * 8, 0, false);
	} else {
		fprintf(out->f, "I/O bitmaps: not used; every IN and OUT exits\n");
	}
}

json_t *bitmaps_json(const struct vmcs_bitmaps *b)
{
	json_t *read = NULL, *write = NULL, *io = NULL;

	if (b->present & MINIKVM_INSPECT_BITMAP_MSR) {
		read = json_array();
		write = json_array();
		msr_half(NULL, read, b->msr, NULL);
		msr_half(NULL, write, b->msr + 2 * QUARTER_BITS / 8, NULL);
	}
	if ((b->present & BITMAPS_IO) == BITMAPS_IO) {
		io = json_array();
		each_run(NULL, io, b->io, sizeof(b->io) * 8, 0, false);
	}
	return json_pack("{s:o,s:o,s:o}", "rdmsr-without-exit", read ? read : json_null(),
			 "wrmsr-without-exit", write ? write : json_null(), "ports-without-exit",
			 io ? io : json_null());
}

int bitmaps_read(struct vmcs_bitmaps *b, const struct attached *a, int fd, unsigned int wait_ms)
{
	struct minikvm_inspect_bitmaps call = {
		.wait_ms = wait_ms,
		.msr = (uintptr_t)b->msr,
		.io_a = (uintptr_t)b->io,
		.io_b = (uintptr_t)(b->io + MINIKVM_INSPECT_BITMAP_BYTES),
	};

	memset(b, 0, sizeof(*b));
	if (ioctl(fd, MINIKVM_INSPECT_BITMAPS, &call))
		return live_failed(a, "the bitmaps");
	b->present = call.present;
	return 0;
}
