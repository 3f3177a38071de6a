/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The vendor operations that every exit calls, as static calls: a direct call
 * instead of two loads and an indirect one, which mitigations make dear.
 */
#ifndef MINIKVM_VENDOR_CALL_H
#define MINIKVM_VENDOR_CALL_H

#include <linux/static_call.h>

/* Included by minikvm.h alone, behind struct minikvm_vendor_ops. */

DECLARE_STATIC_CALL(vendor_vcpu_load, *vendor->vcpu_load);
DECLARE_STATIC_CALL(vendor_vcpu_put, *vendor->vcpu_put);
DECLARE_STATIC_CALL(vendor_prepare_switch, *vendor->prepare_switch);
DECLARE_STATIC_CALL(vendor_enter, *vendor->enter);
DECLARE_STATIC_CALL(vendor_exit_irqoff, *vendor->exit_irqoff);
DECLARE_STATIC_CALL(vendor_handle_exit, *vendor->handle_exit);
DECLARE_STATIC_CALL(vendor_cache_reg, *vendor->cache_reg);
DECLARE_STATIC_CALL(vendor_skip_insn, *vendor->skip_insn);

/* vendor_call(op)(arguments) */
#define vendor_call(op)	static_call(vendor_##op)

#endif
