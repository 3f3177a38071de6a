// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of GET_SUPPORTED_CPUID: the protocol of its length and the
 * leaves every client relies on.
 */
#include "api.h"

/* The table with room for @room entries; NULL and errno if refused. */
static struct minikvm_cpuid2 *get(int fd, uint32_t room)
{
	struct minikvm_cpuid2 *cpuid;

	cpuid = calloc(1, sizeof(*cpuid) + room * sizeof(cpuid->entries[0]));
	if (!cpuid)
		tap_bail("out of memory");
	cpuid->nent = room;
	if (!ioctl(fd, MINIKVM_GET_SUPPORTED_CPUID, cpuid))
		return cpuid;
	free(cpuid);
	return NULL;
}

static void test_length(int fd)
{
	struct minikvm_cpuid2 *all = get(fd, 256), *some;
	struct minikvm_cpuid2 *head = page_end(sizeof(*head));
	uint32_t n;

	if (!tap_ok(all, "256 entries are enough"))
		tap_bail("GET_SUPPORTED_CPUID: %s", strerror(errno));
	n = all->nent;
	tap_ok(n > 0 && n < 256, "nent is written back: %u entries", n);
	tap_errno(get(fd, 0) ? 0 : -1, E2BIG, "no room");
	tap_errno(get(fd, 1) ? 0 : -1, E2BIG, "room for one");
	tap_errno(get(fd, n - 1) ? 0 : -1, E2BIG, "room for all but one");
	some = get(fd, n);
	tap_ok(some && some->nent == n, "room for just as many");
	free(some);
	some = get(fd, 100);
	tap_ok(some && some->nent == n, "100 entries, as kvmtool asks, are enough");
	free(some);
	some = get(fd, 5000);
	tap_ok(some && some->nent == n, "too much room is no error");
	free(some);

	test_efault(fd, MINIKVM_GET_SUPPORTED_CPUID, sizeof(*head),
		    "GET_SUPPORTED_CPUID");
	head->nent = 256;
	tap_errno(ioctl(fd, MINIKVM_GET_SUPPORTED_CPUID, head), EFAULT,
		  "GET_SUPPORTED_CPUID, no memory behind the header");
	free(all);
}

static void test_entries(struct minikvm_cpuid2 *cpuid)
{
	static const uint32_t leaves[] = {
		0, 1, 7, 0xd, 0x40000000, 0x40000001,
		0x80000000, 0x80000001, 0x80000002, 0x80000008,
	};
	struct minikvm_cpuid_entry2 *e, *f;
	unsigned int doubles = 0, flags = 0, padding = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(leaves); i++)
		tap_ok(cpuid_find(cpuid, leaves[i], 0), "leaf %#x is there",
		       leaves[i]);
	for (e = cpuid->entries; e < cpuid->entries + cpuid->nent; e++) {
		for (f = cpuid->entries; f < e; f++)
			doubles += e->function == f->function &&
				   e->index == f->index;
		flags += !!(e->flags & ~7u);
		padding += e->padding[0] || e->padding[1] || e->padding[2];
	}
	tap_eq(doubles, 0, "no leaf is listed twice");
	tap_eq(flags, 0, "no unknown flag is set");
	tap_eq(padding, 0, "padding is zero");
}

static void test_values(struct minikvm_cpuid2 *cpuid)
{
	struct minikvm_cpuid_entry2 *e;
	char text[13] = "";

	e = cpuid_find(cpuid, 0x40000000, 0);
	if (e) {
		memcpy(text, &e->ebx, 12);
		tap_ok(!memcmp(text, "KVMKVMKVM\0\0\0", 12),
		       "leaf 0x40000000 has KVM's signature");
		tap_eq(e->eax, 0x40000001, "leaf 0x40000000 names the last PV leaf");
	}
	e = cpuid_find(cpuid, 0, 0);
	if (e)
		tap_ok(e->eax >= 0xd, "the highest basic leaf is at least 0xd");
	e = cpuid_find(cpuid, 1, 0);
	if (e) {
		tap_ok(e->ecx & 1u << 21, "x2APIC is offered");
		tap_ok(e->edx & 1u << 9, "an APIC is offered");
		tap_ok(e->edx & 1u << 4, "a TSC is offered");
	}
	e = cpuid_find(cpuid, 0x80000001, 0);
	if (e)
		tap_ok(e->edx & 1u << 29, "long mode is offered");
	e = cpuid_find(cpuid, 0x80000008, 0);
	if (e) {
		unsigned int phys = e->eax & 0xff, virt = e->eax >> 8 & 0xff;

		tap_ok(phys >= 32 && phys <= 52, "%u physical address bits", phys);
		tap_ok(virt == 48 || virt == 57, "%u linear address bits", virt);
	}
}

int main(void)
{
	int fd = dev_open();
	struct minikvm_cpuid2 *cpuid;

	tap_plan(0);
	test_length(fd);
	cpuid = cpuid_supported(fd);
	test_entries(cpuid);
	test_values(cpuid);
	free(cpuid);
	return tap_done();
}
