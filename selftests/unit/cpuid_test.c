// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the tests of the CPUID tables the VMM makes: identity and topology of each vCPU, for every
 * number of vCPUs, and that the rest is passed on as the accelerator gave it.
 */
#include "cpuid.h"
#include "layout.h"
#include "tap.h"
#include "types.h"

#define NR_LEAVES 9

static struct minikvm_cpuid2 *supported;

static void set_up(void)
{
	static const struct minikvm_cpuid_entry2 leaves[NR_LEAVES] = {
		{ .function = 0, .eax = 0x1f, .ebx = 0x756e6547 },
		{ .function = 1, .eax = 0x306c3, .ecx = BIT(5) | BIT(0), .edx = 0x178bfbff },
		{ .function = 4, .index = 0, .flags = 1, .eax = 0x1c000121 },
		{ .function = 4, .index = 3, .flags = 1, .eax = 0x1c03c163 },
		{ .function = 7, .flags = 1, .ebx = 0x1234 },
		{ .function = 0xb, .index = 0, .flags = 1 },
		{ .function = 0x80000001, .ecx = BIT(2) | BIT(0) },
		{ .function = 0x80000008, .eax = 0x3027 },
		{ .function = 0x40000000, .eax = 0x40000001, .ebx = 0x4b4d564b },
	};

	supported = calloc(1, sizeof(*supported) + sizeof(leaves));
	if (!supported)
		tap_bail("no memory");
	supported->nent = NR_LEAVES;
	memcpy(supported->entries, leaves, sizeof(leaves));
}

static const struct minikvm_cpuid_entry2 *find(const struct minikvm_cpuid2 *c, u32 fn, u32 index)
{
	unsigned int i;

	for (i = 0; i < c->nent; i++) {
		if (c->entries[i].function == fn && c->entries[i].index == index)
			return &c->entries[i];
	}
	tap_bail("leaf 0x%x.%u is missing", fn, index);
}

/* Shift and count must place every APIC id of the machine in one package. */
static bool topology_is_right(const struct minikvm_cpuid2 *c, unsigned int id, unsigned int nr)
{
	const struct minikvm_cpuid_entry2 *smt = find(c, 0xb, 0), *core = find(c, 0xb, 1);
	const struct minikvm_cpuid_entry2 *end = find(c, 0xb, 2), *one = find(c, 1, 0);
	unsigned int shift = core->eax;

	return smt->eax == 0 && smt->ebx == 1 && smt->ecx == 0x100 && smt->edx == id &&
	       core->ebx == nr && core->ecx == 0x201 && core->edx == id && (1u << shift) >= nr &&
	       (nr == 1 || (1u << (shift - 1)) < nr) && end->ebx == 0 && end->ecx == 2 &&
	       one->ebx >> 24 == id && ((one->ebx >> 16) & 0xff) == ((1u << shift) & 0xff) &&
	       !(one->edx & BIT(28)) == (nr == 1) &&
	       (find(c, 0x80000008, 0)->ecx & 0xff) == nr - 1 &&
	       find(c, 4, 3)->eax >> 26 >= (nr > 64 ? 63 : nr - 1) &&
	       ((find(c, 4, 3)->eax >> 14) & 0xfff) >= nr - 1 &&
	       ((find(c, 4, 0)->eax >> 14) & 0xfff) == 0;
}

/* Two packages of four cores of two threads: 3 bits in all, one of them for the thread. */
static void test_threads(void)
{
	const struct cpuid_topology topo = { .apic_id = 11, .nr_cores = 4, .nr_threads = 2 };
	struct minikvm_cpuid2 *c = cpuid_build(supported, &topo);

	if (!c)
		tap_bail("no table");
	tap_ok(find(c, 0xb, 0)->eax == 1 && find(c, 0xb, 0)->ebx == 2, "threads of a core");
	tap_ok(find(c, 0xb, 1)->eax == 3 && find(c, 0xb, 1)->ebx == 8 &&
	       ((find(c, 1, 0)->ebx >> 16) & 0xff) == 8 && (find(c, 0x80000008, 0)->ecx & 0xff) == 7,
	       "CPUs of a package");
	tap_ok(((find(c, 4, 0)->eax >> 14) & 0xfff) == 1 &&
	       ((find(c, 4, 3)->eax >> 14) & 0xfff) == 7 && find(c, 4, 0)->eax >> 26 == 3,
	       "threads share the first caches, a package the last");
	free(c);
}

int main(void)
{
	struct cpuid_topology topo = { .nr_cores = 1, .nr_threads = 1 };
	unsigned int wrong = 0;
	struct minikvm_cpuid2 *c;

	tap_plan(0);
	set_up();
	for (topo.nr_cores = 1; topo.nr_cores <= MAX_VCPUS; topo.nr_cores++) {
		topo.apic_id = topo.nr_cores - 1;
		c = cpuid_build(supported, &topo);
		if (!c || !topology_is_right(c, topo.apic_id, topo.nr_cores)) {
			tap_diag("%u vCPUs", topo.nr_cores);
			wrong++;
		}
		free(c);
	}
	tap_ok(!wrong, "topology leaves for 1 to %u vCPUs", MAX_VCPUS);

	topo = (struct cpuid_topology){ .nr_cores = 2, .nr_threads = 1, .tsc_deadline = true };
	c = cpuid_build(supported, &topo);
	if (!c)
		tap_bail("no table");
	tap_ok(find(c, 1, 0)->ecx & BIT(31), "the hypervisor bit is set");
	tap_ok(find(c, 1, 0)->ecx & BIT(24), "TSC deadline is offered if the local APIC has it");
	tap_ok(!(find(c, 1, 0)->ecx & BIT(5)) && !(find(c, 0x80000001, 0)->ecx & BIT(2)),
	       "VMX and SVM are not");
	tap_ok((find(c, 1, 0)->ecx & 1) && find(c, 7, 0)->ebx == 0x1234 &&
	       find(c, 0x40000000, 0)->ebx == 0x4b4d564b, "other bits and leaves are passed on");
	tap_eq(cpuid_phys_bits(c), 0x27, "physical address width");
	free(c);
	test_threads();
	topo.tsc_deadline = false;
	c = cpuid_build(supported, &topo);
	tap_ok(c && !(find(c, 1, 0)->ecx & BIT(24)), "without it, TSC deadline is not offered");
	free(c);
	supported->nent = 1;
	tap_eq(cpuid_phys_bits(supported), 36, "36 bits if the table does not say");
	free(supported);
	return tap_done();
}
