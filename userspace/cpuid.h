/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The CPUID table of one vCPU, made from what the accelerator supports.
 */
#ifndef MKVM_CPUID_H
#define MKVM_CPUID_H

#include "minikvm.h"
#include "types.h"

/**
 * struct cpuid_topology - what CPUID depends on besides the host
 * @apic_id: this vCPU's local APIC id; vCPU n has id n
 * @nr_cores: cores of a package; a power of two if there is more than one package
 * @nr_threads: threads of a core, a power of two
 * @tsc_deadline: the local APIC offers TSC-deadline mode
 */
struct cpuid_topology {
	unsigned int apic_id;
	unsigned int nr_cores;
	unsigned int nr_threads;
	bool tsc_deadline;
};

/**
 * cpuid_build() - the table of one vCPU
 * @supported: what GET_SUPPORTED_CPUID returned
 * @topo: the vCPU's place
 *
 * Return: a table to be freed with free(), or NULL without memory.
 */
struct minikvm_cpuid2 *cpuid_build(const struct minikvm_cpuid2 *supported,
				   const struct cpuid_topology *topo);

/** cpuid_phys_bits() - guest-physical address width the table reports, 36 if it does not say */
unsigned int cpuid_phys_bits(const struct minikvm_cpuid2 *cpuid);

#endif
