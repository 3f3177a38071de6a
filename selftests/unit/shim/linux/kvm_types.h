/* SPDX-License-Identifier: GPL-2.0 */
/* Stands in for the kernel's <linux/kvm_types.h>: the kinds of address. */
#ifndef SHIM_LINUX_KVM_TYPES_H
#define SHIM_LINUX_KVM_TYPES_H

#include <linux/types.h>

typedef unsigned long gva_t;
typedef u64 gpa_t;
typedef u64 gfn_t;
typedef unsigned long hva_t;
typedef u64 hpa_t;

#endif
