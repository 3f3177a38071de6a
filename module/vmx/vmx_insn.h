/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Owns the VMX instructions in C: VMREAD, VMWRITE, VMPTRLD, VMCLEAR, INVEPT
 * and INVVPID, checked for operand width at compile time and for failure at
 * run time. Encodings of fields come from <asm/vmx.h>.
 *
 * A VMX instruction can end in three ways: done; VMfail (CF or ZF), which is a
 * bug of ours and is logged; or #UD or #GP, because somebody switched VMX off
 * (crash, reboot). The last is caught, and logged once.
 *
 * Source: Intel SDM vol. 3C (December 2023), "VMX Instruction Reference".
 */
#ifndef MINIKVM_VMX_INSN_H
#define MINIKVM_VMX_INSN_H

#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/types.h>
#include <asm/asm.h>
#include <asm/vmx.h>

/* Out of line: what went wrong, rate limited. */
void __cold vmx_insn_failed(const char *insn, unsigned long operand, unsigned long value);
void __cold vmx_insn_faulted(const char *insn);

/* After the instruction at local label 1: where it continues if it faults. */
#define VMX_FAULTS_TO(label)	_ASM_EXTABLE(1b, %l[label])

/* Bits 14:13 of a field's encoding are its width; bit 0 selects a high half. */
#define VMCS_WIDTH_MASK		0x6001UL
#define VMCS_WIDTH_16		0x0000UL
#define VMCS_WIDTH_64		0x2000UL
#define VMCS_WIDTH_32		0x4000UL
#define VMCS_WIDTH_NATURAL	0x6000UL

/* SDM: "VMREAD, VMWRITE, and Encodings of VMCS Fields". */
#define vmcs_check_width(field, width)						\
	BUILD_BUG_ON_MSG(__builtin_constant_p(field) &&				\
			 ((field) & VMCS_WIDTH_MASK) != (width),		\
			 "VMCS field accessed with the wrong width")

static __always_inline unsigned long vmcs_read_any(unsigned long field)
{
	unsigned long value;

	asm_goto_output("1: vmread %[field], %[value]\n\t"
			"jbe %l[failed]\n\t"
			VMX_FAULTS_TO(faulted)
			: [value] "=r" (value)
			: [field] "r" (field)
			: "cc"
			: failed, faulted);
	return value;
failed:
	vmx_insn_failed("VMREAD", field, 0);
	return 0;
faulted:
	vmx_insn_faulted("VMREAD");
	return 0;
}

/* Is there such a field? Then *@value is its value. */
static __always_inline bool vmcs_try_read(unsigned long field, unsigned long *value)
{
	unsigned long read;

	asm_goto_output("1: vmread %[field], %[value]\n\t"
			"jbe %l[failed]\n\t"
			VMX_FAULTS_TO(failed)
			: [value] "=r" (read)
			: [field] "r" (field)
			: "cc"
			: failed);
	*value = read;
	return true;
failed:
	return false;
}

static __always_inline void vmcs_write_any(unsigned long field, unsigned long value)
{
	asm goto("1: vmwrite %[value], %[field]\n\t"
		 "jbe %l[failed]\n\t"
		 VMX_FAULTS_TO(faulted)
		 : : [field] "r" (field), [value] "rm" (value)
		 : "cc" : failed, faulted);
	return;
failed:
	vmx_insn_failed("VMWRITE", field, value);
	return;
faulted:
	vmx_insn_faulted("VMWRITE");
}

/* SDM: "VMREAD, VMWRITE, and Encodings of VMCS Fields". */
static __always_inline u16 vmcs_read16(unsigned long field)
{
	vmcs_check_width(field, VMCS_WIDTH_16);
	return vmcs_read_any(field);
}

static __always_inline u32 vmcs_read32(unsigned long field)
{
	vmcs_check_width(field, VMCS_WIDTH_32);
	return vmcs_read_any(field);
}

static __always_inline u64 vmcs_read64(unsigned long field)
{
	vmcs_check_width(field, VMCS_WIDTH_64);
	return vmcs_read_any(field);
}

static __always_inline unsigned long vmcs_readl(unsigned long field)
{
	vmcs_check_width(field, VMCS_WIDTH_NATURAL);
	return vmcs_read_any(field);
}

static __always_inline void vmcs_write16(unsigned long field, u16 value)
{
	vmcs_check_width(field, VMCS_WIDTH_16);
	vmcs_write_any(field, value);
}

static __always_inline void vmcs_write32(unsigned long field, u32 value)
{
	vmcs_check_width(field, VMCS_WIDTH_32);
	vmcs_write_any(field, value);
}

static __always_inline void vmcs_write64(unsigned long field, u64 value)
{
	vmcs_check_width(field, VMCS_WIDTH_64);
	vmcs_write_any(field, value);
}

static __always_inline void vmcs_writel(unsigned long field, unsigned long value)
{
	vmcs_check_width(field, VMCS_WIDTH_NATURAL);
	vmcs_write_any(field, value);
}

/* The physical address of a VMCS region, as an operand in memory. */
static __always_inline void vmx_vmptrld(u64 pa)
{
	asm goto("1: vmptrld %[pa]\n\t"
		 "jbe %l[failed]\n\t"
		 VMX_FAULTS_TO(faulted)
		 : : [pa] "m" (pa) : "cc", "memory" : failed, faulted);
	return;
failed:
	vmx_insn_failed("VMPTRLD", pa, 0);
	return;
faulted:
	vmx_insn_faulted("VMPTRLD");
}

static __always_inline void vmx_vmclear(u64 pa)
{
	asm goto("1: vmclear %[pa]\n\t"
		 "jbe %l[failed]\n\t"
		 VMX_FAULTS_TO(faulted)
		 : : [pa] "m" (pa) : "cc", "memory" : failed, faulted);
	return;
failed:
	vmx_insn_failed("VMCLEAR", pa, 0);
	return;
faulted:
	vmx_insn_faulted("VMCLEAR");
}

/* INVEPT and INVVPID: what to forget, and the EPT pointer or VPID it is tagged with. */
#define VMX_INVALIDATE(insn, INSN)						\
static inline void vmx_##insn(unsigned long type, u64 tag)			\
{										\
	struct {								\
		u64 tag, zero;							\
	} desc = { tag, 0 };							\
	const char *name = INSN;						\
										\
	asm goto("1: " #insn " %[desc], %[type]\n\t"				\
		 "jbe %l[failed]\n\t"						\
		 VMX_FAULTS_TO(faulted)						\
		 : : [type] "r" (type), [desc] "m" (desc)			\
		 : "cc", "memory" : failed, faulted);				\
	return;									\
failed:										\
	vmx_insn_failed(name, type, tag);					\
	return;									\
faulted:									\
	vmx_insn_faulted(name);							\
}

/* SDM: "INVEPT-Invalidate Translations Derived from EPT". */
VMX_INVALIDATE(invept, "INVEPT")
/* SDM: "INVVPID-Invalidate Translations Based on VPID". */
VMX_INVALIDATE(invvpid, "INVVPID")

#endif
