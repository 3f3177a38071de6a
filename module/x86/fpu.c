// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's x87, SSE and extended state. It lives in an fpstate of the
 * kernel's FPU code, swapped in for the whole of RUN; how, and what surrounds
 * each entry, is in fpu_switch.h.
 */
#include <linux/err.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>
#include <asm/fpu/api.h>
#include <asm/fpu/xcr.h>
#include <asm/fpu/xstate.h>

#include "fpu_switch.h"
#include "x86.h"

/**
 * fpu_create - allocate the guest's FPU state
 * @vcpu: a new vCPU
 *
 * Return: 0 or -ENOMEM.
 */
int fpu_create(struct vcpu *vcpu)
{
	if (!fpu_alloc_guest_fpstate(&vcpu->guest_fpu))
		return -ENOMEM;
	if (boot_cpu_has(X86_FEATURE_XSAVE))
		vcpu->host_xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK);
	vcpu->xcr0 = XFEATURE_MASK_FP;
	return 0;
}

/**
 * fpu_free - undo fpu_create()
 * @vcpu: not in RUN
 */
void fpu_free(struct vcpu *vcpu)
{
	fpu_free_guest_fpstate(&vcpu->guest_fpu);
}

static void reset_legacy_area(struct fxregs_state *fx)
{
	memset(fx, 0, sizeof(*fx));
	fx->cwd = 0x37f;
	fx->mxcsr = 0x1f80;
}

/**
 * fpu_reset - state after power-on or INIT
 * @vcpu: the vCPU
 * @init: INIT keeps everything, XCR0 included
 *
 * The x87 control word is what FNINIT makes it (as KVM has it), not the 40H of
 * a CPU that was just switched on: no firmware runs without FNINIT.
 *
 * Source: Intel SDM vol. 3A (December 2023), "Processor State After Reset".
 */
void fpu_reset(struct vcpu *vcpu, bool init)
{
	struct fpstate *fps = vcpu->guest_fpu.fpstate;
	bool loaded = vcpu->guest_fpu_loaded;

	if (init)
		return;
	vcpu->xcr0 = XFEATURE_MASK_FP;

	if (loaded)
		fpu_put_guest(vcpu);
	reset_legacy_area(&fps->regs.fxsave);
	/* Components that the header does not name are in their initial state: all. */
	if (boot_cpu_has(X86_FEATURE_XSAVE))
		fps->regs.xsave.header.xfeatures = 0;
	vcpu->pkru = 0;
	if (loaded)
		fpu_load_guest(vcpu);
}

/* ---- single vector registers -------------------------------------------- */

/* The guest's registers are in the CPU, unless something has borrowed it. */
static void guest_regs_lock(void)
{
	fpregs_lock();
	fpregs_assert_state_consistent();
	if (test_thread_flag(TIF_NEED_FPU_LOAD))
		switch_fpu_return();
}

#define FOR_EACH_VEC(insn)						\
	insn(0); insn(1); insn(2); insn(3); insn(4); insn(5); insn(6);	\
	insn(7); insn(8); insn(9); insn(10); insn(11); insn(12);	\
	insn(13); insn(14); insn(15)

#define STORE_XMM(n)	case n: asm("movdqu %%xmm" #n ", %0" : "=m" (*v)); break
#define STORE_YMM(n)	case n: asm("vmovdqu %%ymm" #n ", %0" : "=m" (*v)); break
#define LOAD_XMM(n)	case n: asm volatile("movdqu %0, %%xmm" #n : : "m" (*v)); break
#define LOAD_VEX(n)	case n: asm volatile("vmovdqu %0, %%xmm" #n : : "m" (*v)); break
#define LOAD_YMM(n)	case n: asm volatile("vmovdqu %0, %%ymm" #n : : "m" (*v)); break

struct vec {
	u8 bytes[32];
};

/**
 * fpu_vec_read - read one vector register of the guest
 * @vcpu: the vCPU, in RUN
 * @reg: 0..15
 * @buf: out: 32 bytes of room
 * @size: 16, or 32 if the CPU has AVX
 */
void fpu_vec_read(struct vcpu *vcpu, int reg, void *buf, u32 size)
{
	struct vec *v = buf;

	guest_regs_lock();
	if (size == 16)
		switch (reg) { FOR_EACH_VEC(STORE_XMM); }
	else
		switch (reg) { FOR_EACH_VEC(STORE_YMM); }
	fpregs_unlock();
}

/**
 * fpu_vec_write - write one vector register of the guest
 * @vcpu: the vCPU, in RUN
 * @reg: 0..15
 * @buf: in: 32 bytes of room
 * @size: 16, or 32 if the CPU has AVX
 * @clear: what is above becomes zero, as with a VEX prefix (the CPU has AVX);
 *	else it keeps its value; always true with a @size of 32
 */
void fpu_vec_write(struct vcpu *vcpu, int reg, const void *buf, u32 size, bool clear)
{
	const struct vec *v = buf;

	guest_regs_lock();
	if (!clear)
		switch (reg) { FOR_EACH_VEC(LOAD_XMM); }
	else if (size == 16)
		switch (reg) { FOR_EACH_VEC(LOAD_VEX); }
	else
		switch (reg) { FOR_EACH_VEC(LOAD_YMM); }
	fpregs_unlock();
}

#define FOR_EACH_MMX(insn)						\
	insn(0); insn(1); insn(2); insn(3); insn(4); insn(5); insn(6); insn(7)

#define STORE_MMX(n)	case n: asm volatile("movq %%mm" #n ", %0" : "=m" (*v)); break
#define LOAD_MMX(n)	case n: asm volatile("movq %0, %%mm" #n : : "m" (*v)); break

/**
 * fpu_mmx_read - read one MMX register of the guest
 * @vcpu: the vCPU, in RUN, no x87 exception pending
 * @reg: 0..7
 * @v: out
 */
void fpu_mmx_read(struct vcpu *vcpu, int reg, u64 *v)
{
	guest_regs_lock();
	switch (reg) { FOR_EACH_MMX(STORE_MMX); }
	fpregs_unlock();
}

/**
 * fpu_mmx_write - write one MMX register of the guest
 * @vcpu: the vCPU, in RUN, no x87 exception pending
 * @reg: 0..7
 * @v: in
 */
void fpu_mmx_write(struct vcpu *vcpu, int reg, const u64 *v)
{
	guest_regs_lock();
	switch (reg) { FOR_EACH_MMX(LOAD_MMX); }
	fpregs_unlock();
}

/**
 * fpu_save_area - the guest's x87 and SSE state as FXSAVE stores it
 * @vcpu: the vCPU, in RUN
 * @fx: out
 * @wide: with 64-bit pointers
 */
void fpu_save_area(struct vcpu *vcpu, struct fxregs_state *fx, bool wide)
{
	memset(fx, 0, sizeof(*fx));
	guest_regs_lock();
	if (wide)
		asm volatile("fxsaveq %0" : "+m" (*fx));
	else
		asm volatile("fxsave %0" : "+m" (*fx));
	fpregs_unlock();
}

/**
 * fpu_load_area - load the guest's x87 and SSE state as FXRSTOR does
 * @vcpu: the vCPU, in RUN
 * @fx: in
 * @wide: with 64-bit pointers
 *
 * Return: 0, or -EINVAL: reserved bits of MXCSR are set, nothing was loaded.
 */
int fpu_load_area(struct vcpu *vcpu, const struct fxregs_state *fx, bool wide)
{
	struct fxregs_state now __aligned(16);
	u32 mask;

	fpu_save_area(vcpu, &now, true);
	mask = now.mxcsr_mask ? now.mxcsr_mask : 0xffbf;
	if (fx->mxcsr & ~mask)
		return -EINVAL;
	guest_regs_lock();
	if (wide)
		asm volatile("fxrstorq %0" : : "m" (*fx));
	else
		asm volatile("fxrstor %0" : : "m" (*fx));
	fpregs_unlock();
	return 0;
}

/* ---- userspace ---------------------------------------------------------- */

/**
 * fpu_get_area - the guest's FPU state in the standard format
 * @vcpu: the vCPU, not in RUN
 * @buf: out: an XSAVE area
 * @size: bytes of @buf
 *
 * Only components that the guest's CPUID has, so that a host which lacks the
 * others can load it; x87 and SSE always.
 */
void fpu_get_area(struct vcpu *vcpu, void *buf, u32 size)
{
	fpu_copy_guest_fpstate_to_uabi(&vcpu->guest_fpu, buf, size,
				       vcpu->supported_xcr0 | XFEATURE_MASK_FPSSE,
				       vcpu->pkru);
}

/**
 * fpu_set_area - load the guest's FPU state from the standard format
 * @vcpu: the vCPU, not in RUN
 * @buf: in: an XSAVE area of guest_fpu.uabi_size bytes
 *
 * Return: 0 or -EINVAL (components this host does not offer to guests, reserved
 * MXCSR bits, a header that is not of the standard format).
 */
int fpu_set_area(struct vcpu *vcpu, const void *buf)
{
	return fpu_copy_uabi_to_guest_fpstate(&vcpu->guest_fpu, buf,
					      cpuid_supported_xcr0() | XFEATURE_MASK_FPSSE,
					      &vcpu->pkru);
}

/*
 * A component that the XSAVE header does not name is in its initial state
 * whatever its memory holds, so both directions go through the conversion to
 * the standard format.
 */
static struct xregs_state *uabi_area(struct vcpu *vcpu)
{
	return kvzalloc(max_t(u32, vcpu->guest_fpu.uabi_size, sizeof(struct minikvm_xsave)),
			GFP_KERNEL_ACCOUNT);
}

/**
 * fpu_get - GET_FPU
 * @vcpu: the vCPU, not in RUN
 * @fpu: out
 *
 * Return: 0 or -ENOMEM.
 */
int fpu_get(struct vcpu *vcpu, struct minikvm_fpu *fpu)
{
	struct xregs_state *area = uabi_area(vcpu);
	struct fxregs_state *fx;

	if (!area)
		return -ENOMEM;
	fpu_get_area(vcpu, area, vcpu->guest_fpu.uabi_size);
	fx = &area->i387;
	memset(fpu, 0, sizeof(*fpu));
	memcpy(fpu->fpr, fx->st_space, sizeof(fpu->fpr));
	fpu->fcw = fx->cwd;
	fpu->fsw = fx->swd;
	fpu->ftwx = fx->twd;
	fpu->last_opcode = fx->fop;
	fpu->last_ip = fx->rip;
	fpu->last_dp = fx->rdp;
	memcpy(fpu->xmm, fx->xmm_space, sizeof(fpu->xmm));
	fpu->mxcsr = fx->mxcsr;
	kvfree(area);
	return 0;
}

/**
 * fpu_set - SET_FPU
 * @vcpu: the vCPU, not in RUN
 * @fpu: in
 *
 * Return: 0, -EINVAL (reserved MXCSR bits) or -ENOMEM.
 */
int fpu_set(struct vcpu *vcpu, const struct minikvm_fpu *fpu)
{
	struct xregs_state *area = uabi_area(vcpu);
	struct fxregs_state *fx;
	int r;

	if (!area)
		return -ENOMEM;
	/* What the structure has no room for keeps its value. */
	fpu_copy_guest_fpstate_to_uabi(&vcpu->guest_fpu, area, vcpu->guest_fpu.uabi_size,
				       cpuid_supported_xcr0() | XFEATURE_MASK_FPSSE,
				       vcpu->pkru);
	fx = &area->i387;
	memcpy(fx->st_space, fpu->fpr, sizeof(fpu->fpr));
	fx->cwd = fpu->fcw;
	fx->swd = fpu->fsw;
	fx->twd = fpu->ftwx;
	fx->fop = fpu->last_opcode;
	fx->rip = fpu->last_ip;
	fx->rdp = fpu->last_dp;
	memcpy(fx->xmm_space, fpu->xmm, sizeof(fpu->xmm));
	fx->mxcsr = fpu->mxcsr;
	area->header.xfeatures |= XFEATURE_MASK_FPSSE;
	r = fpu_set_area(vcpu, area);
	kvfree(area);
	return r;
}

/**
 * fpu_get_xsave - GET_XSAVE
 * @vcpu: the vCPU, not in RUN
 * @area: out, zeroed by the caller
 *
 * Return: 0, or -EINVAL (the state does not fit: GET_XSAVE2 it is).
 */
int fpu_get_xsave(struct vcpu *vcpu, struct minikvm_xsave *area)
{
	if (vcpu->guest_fpu.uabi_size > sizeof(*area))
		return -EINVAL;
	fpu_get_area(vcpu, area, sizeof(*area));
	return 0;
}

/*
 * GET_XSAVE2 and SET_XSAVE move as many bytes as the guest's state has, which
 * CAP_XSAVE2 bounds; less than a struct minikvm_xsave if all of it fits there.
 */

/**
 * fpu_get_xsave2 - GET_XSAVE2
 * @vcpu: the vCPU, not in RUN
 * @argp: out, in userspace
 *
 * Return: 0, -ENOMEM or -EFAULT.
 */
int fpu_get_xsave2(struct vcpu *vcpu, void __user *argp)
{
	u32 size = vcpu->guest_fpu.uabi_size;
	void *area = kvzalloc(size, GFP_KERNEL_ACCOUNT);
	int r = 0;

	if (!area)
		return -ENOMEM;
	fpu_get_area(vcpu, area, size);
	if (copy_to_user(argp, area, size))
		r = -EFAULT;
	kvfree(area);
	return r;
}

/**
 * fpu_set_xsave - SET_XSAVE
 * @vcpu: the vCPU, not in RUN
 * @argp: in, in userspace
 *
 * Return: 0; -EINVAL as fpu_set_area(); -ENOMEM; -EFAULT.
 */
int fpu_set_xsave(struct vcpu *vcpu, void __user *argp)
{
	struct xregs_state *area = vmemdup_user(argp, vcpu->guest_fpu.uabi_size);
	int r;

	if (IS_ERR(area))
		return PTR_ERR(area);
	/* Components that XFD keeps from the guest are in their initial state. */
	if (boot_cpu_has(X86_FEATURE_XSAVE))
		area->header.xfeatures &= ~vcpu->guest_fpu.fpstate->xfd;
	r = fpu_set_area(vcpu, area);
	kvfree(area);
	return r;
}

/**
 * xcrs_get - GET_XCRS
 * @vcpu: the vCPU
 * @xcrs: out, zeroed by the caller
 */
void xcrs_get(struct vcpu *vcpu, struct minikvm_xcrs *xcrs)
{
	if (!boot_cpu_has(X86_FEATURE_XSAVE))
		return;
	xcrs->nr_xcrs = 1;
	xcrs->xcrs[0].xcr = XCR_XFEATURE_ENABLED_MASK;
	xcrs->xcrs[0].value = vcpu->xcr0;
}

/**
 * xcrs_set - SET_XCRS
 * @vcpu: the vCPU
 * @xcrs: in; entries other than the first of XCR0 are ignored
 *
 * Return: 0, or -EINVAL (no XSAVE on this host, flags, more than
 * MINIKVM_MAX_XCRS entries, a value XCR0 cannot have).
 */
int xcrs_set(struct vcpu *vcpu, const struct minikvm_xcrs *xcrs)
{
	u32 i;

	if (!boot_cpu_has(X86_FEATURE_XSAVE))
		return -EINVAL;
	if (xcrs->nr_xcrs > MINIKVM_MAX_XCRS || xcrs->flags)
		return -EINVAL;
	for (i = 0; i < xcrs->nr_xcrs; i++)
		if (xcrs->xcrs[i].xcr == XCR_XFEATURE_ENABLED_MASK)
			return xcr0_set(vcpu, XCR_XFEATURE_ENABLED_MASK, xcrs->xcrs[i].value,
					true);
	return 0;
}
