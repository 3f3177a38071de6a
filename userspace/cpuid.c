// SPDX-License-Identifier: GPL-2.0
/*
 * CPUID as a guest sees it: the accelerator's supported leaves, with the fields that describe this
 * vCPU and the machine's topology filled in.
 *
 * Sources: Intel SDM vol. 2A (December 2023), "CPUID--CPU Identification"; AMD APM vol. 3 (40332),
 * "Obtaining Processor Information Via the CPUID Instruction".
 */
#include <stdlib.h>
#include <string.h>

#include "cpuid.h"
#include "types.h"

#define LEAF1_ECX_VMX		BIT(5)
#define LEAF1_ECX_TSC_DEADLINE	BIT(24)
#define LEAF1_ECX_HYPERVISOR	BIT(31)
#define LEAF1_EDX_HTT		BIT(28)

#define LEAF8_1_ECX_SVM		BIT(2)	/* leaf 0x80000001 */

/* Leaf 0xB and 0x1F, ECX[15:8]. */
#define LEVEL_INVALID		0u
#define LEVEL_SMT		1u
#define LEVEL_CORE		2u

/* Extra room for topology sub-leaves the accelerator did not list. */
#define EXTRA_ENTRIES		4

/* Bits that number @count things. */
static unsigned int id_bits(unsigned int count)
{
	unsigned int bits = 0;

	while ((1u << bits) < count)
		bits++;
	return bits;
}

/* Bits of an APIC id below those that number the packages. */
static unsigned int package_bits(const struct cpuid_topology *t)
{
	return id_bits(t->nr_threads) + id_bits(t->nr_cores);
}

static u32 set_field(u32 reg, unsigned int shift, unsigned int width, u32 value)
{
	u32 mask = ((1u << width) - 1) << shift;

	return (reg & ~mask) | ((value << shift) & mask);
}

static void fix_leaf1(struct minikvm_cpuid_entry2 *e, const struct cpuid_topology *t)
{
	e->ebx = set_field(e->ebx, 24, 8, t->apic_id);
	e->ebx = set_field(e->ebx, 16, 8, 1u << package_bits(t));
	/* No nested virtualization: nothing in mkvm saves or resets its state. */
	e->ecx &= ~LEAF1_ECX_VMX;
	e->ecx |= LEAF1_ECX_HYPERVISOR;
	if (t->tsc_deadline)
		e->ecx |= LEAF1_ECX_TSC_DEADLINE;
	if (t->nr_cores * t->nr_threads > 1)
		e->edx |= LEAF1_EDX_HTT;
	else
		e->edx &= ~LEAF1_EDX_HTT;
}

/*
 * Leaf 4, and 0x8000001D which has the same layout: who shares a cache. The last level
 * is shared by the package, the others by the threads of a core.
 */
static void fix_cache(struct minikvm_cpuid_entry2 *e, const struct cpuid_topology *t,
		      bool has_cores)
{
	unsigned int type = e->eax & 0x1f, level = (e->eax >> 5) & 7;
	unsigned int shared = level >= 3 ? package_bits(t) : id_bits(t->nr_threads);
	u32 cores = (1u << id_bits(t->nr_cores)) - 1;

	if (!type)
		return;
	e->eax = set_field(e->eax, 14, 12, (1u << shared) - 1);
	if (has_cores)
		e->eax = set_field(e->eax, 26, 6, cores > 63 ? 63 : cores);
}

static void fix_topology_level(struct minikvm_cpuid_entry2 *e, const struct cpuid_topology *t)
{
	switch (e->index) {
	case 0:
		e->eax = id_bits(t->nr_threads);
		e->ebx = t->nr_threads;
		e->ecx = LEVEL_SMT << 8;
		break;
	case 1:
		e->eax = package_bits(t);
		e->ebx = t->nr_cores * t->nr_threads;
		e->ecx = 1 | LEVEL_CORE << 8;
		break;
	default:
		e->eax = 0;
		e->ebx = 0;
		e->ecx = (e->index & 0xff) | LEVEL_INVALID << 8;
		break;
	}
	e->edx = t->apic_id;
}

static void fix_entry(struct minikvm_cpuid_entry2 *e, const struct cpuid_topology *t)
{
	switch (e->function) {
	case 0x1:
		fix_leaf1(e, t);
		break;
	case 0x4:
		fix_cache(e, t, true);
		break;
	case 0xb:
	case 0x1f:
		fix_topology_level(e, t);
		break;
	case 0x80000001:
		e->ecx &= ~LEAF8_1_ECX_SVM;
		break;
	case 0x80000008:
		e->ecx = set_field(e->ecx, 0, 8, t->nr_cores * t->nr_threads - 1);
		e->ecx = set_field(e->ecx, 12, 4, package_bits(t));
		break;
	case 0x8000001d:
		fix_cache(e, t, false);
		break;
	case 0x8000001e:
		e->eax = t->apic_id;
		/* Core, threads of it, and one node a package. */
		e->ebx = set_field(e->ebx, 0, 8, t->apic_id >> id_bits(t->nr_threads));
		e->ebx = set_field(e->ebx, 8, 8, t->nr_threads - 1);
		e->ecx = t->apic_id >> package_bits(t);
		break;
	default:
		break;
	}
}

static struct minikvm_cpuid_entry2 *find(struct minikvm_cpuid2 *cpuid, u32 function, u32 index)
{
	unsigned int i;

	for (i = 0; i < cpuid->nent; i++) {
		if (cpuid->entries[i].function == function && cpuid->entries[i].index == index)
			return &cpuid->entries[i];
	}
	return NULL;
}

/*
 * A topology leaf must have the SMT and the core level; the accelerator may list only sub-leaf 0.
 */
static void complete_topology(struct minikvm_cpuid2 *cpuid, u32 function)
{
	u32 index;

	if (!find(cpuid, function, 0))
		return;
	for (index = 1; index <= 2; index++) {
		if (find(cpuid, function, index))
			continue;
		cpuid->entries[cpuid->nent++] = (struct minikvm_cpuid_entry2){
			.function = function,
			.index = index,
			.flags = MINIKVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		};
	}
}

struct minikvm_cpuid2 *cpuid_build(const struct minikvm_cpuid2 *supported,
				   const struct cpuid_topology *topo)
{
	size_t entry = sizeof(supported->entries[0]);
	struct minikvm_cpuid2 *cpuid =
		calloc(1, sizeof(*cpuid) + (supported->nent + EXTRA_ENTRIES) * entry);
	unsigned int i;

	if (!cpuid)
		return NULL;
	cpuid->nent = supported->nent;
	memcpy(cpuid->entries, supported->entries, supported->nent * entry);
	complete_topology(cpuid, 0xb);
	complete_topology(cpuid, 0x1f);
	for (i = 0; i < cpuid->nent; i++)
		fix_entry(&cpuid->entries[i], topo);
	return cpuid;
}

unsigned int cpuid_phys_bits(const struct minikvm_cpuid2 *cpuid)
{
	unsigned int i;

	for (i = 0; i < cpuid->nent; i++) {
		unsigned int bits = cpuid->entries[i].eax & 0xff;

		if (cpuid->entries[i].function == 0x80000008 && bits)
			return bits;
	}
	return 36;
}
