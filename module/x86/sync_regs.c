// SPDX-License-Identifier: GPL-2.0
/*
 * Registers through the run page (CAP_SYNC_REGS): what userspace changed there
 * is loaded when RUN begins, what it asked for is stored when RUN ends.
 *
 * The page stays writable by userspace meanwhile, so each structure is copied
 * before it is looked at.
 */
#include <linux/compiler.h>
#include <linux/string.h>

#include "sync_regs.h"
#include "x86.h"

static_assert(sizeof(struct minikvm_sync_regs) <=
	      sizeof_field(struct minikvm_run, s.padding));

static int load_regs(struct vcpu *vcpu)
{
	struct minikvm_regs regs = vcpu->run->s.regs.regs;

	return regs_set(vcpu, &regs);
}

static int load_sregs(struct vcpu *vcpu)
{
	struct minikvm_sregs sregs = vcpu->run->s.regs.sregs;

	/* One access to the page per byte. */
	barrier();
	return sregs_set(vcpu, &sregs);
}

static int load_events(struct vcpu *vcpu)
{
	struct minikvm_vcpu_events events = vcpu->run->s.regs.events;

	barrier();
	return vcpu_events_set(vcpu, &events);
}

/**
 * sync_regs_load - RUN begins: load what run->kvm_dirty_regs names
 * @vcpu: the vCPU, loaded
 *
 * A class that was loaded is no longer dirty: its bit is cleared, so that after
 * an error userspace can tell which one was refused.
 *
 * Return: 0, or -EINVAL (an unknown bit in kvm_valid_regs or kvm_dirty_regs, or a
 * class that its SET ioctl refuses).
 */
int sync_regs_load(struct vcpu *vcpu)
{
	static const struct {
		u64 class;
		int (*load)(struct vcpu *vcpu);
	} classes[] = {
		{ MINIKVM_SYNC_X86_REGS, load_regs },
		{ MINIKVM_SYNC_X86_SREGS, load_sregs },
		{ MINIKVM_SYNC_X86_EVENTS, load_events },
	};
	struct minikvm_run *run = vcpu->run;
	u64 dirty = READ_ONCE(run->kvm_dirty_regs);
	int i;

	if ((READ_ONCE(run->kvm_valid_regs) | dirty) & ~(u64)SYNC_REGS_CLASSES)
		return -EINVAL;
	for (i = 0; dirty && i < ARRAY_SIZE(classes); i++) {
		if (!(dirty & classes[i].class))
			continue;
		if (classes[i].load(vcpu))
			return -EINVAL;
		dirty &= ~classes[i].class;
		WRITE_ONCE(run->kvm_dirty_regs, dirty);
	}
	return 0;
}

/**
 * sync_regs_store - RUN ends: store what run->kvm_valid_regs names
 * @vcpu: the vCPU, loaded
 */
void sync_regs_store(struct vcpu *vcpu)
{
	struct minikvm_sync_regs *sync = &vcpu->run->s.regs;
	u64 valid = READ_ONCE(vcpu->run->kvm_valid_regs);

	if (valid & MINIKVM_SYNC_X86_REGS)
		regs_get(vcpu, &sync->regs);
	if (valid & MINIKVM_SYNC_X86_SREGS) {
		struct minikvm_sregs sregs;

		sregs_get(vcpu, &sregs);
		sync->sregs = sregs;
	}
	if (valid & MINIKVM_SYNC_X86_EVENTS) {
		struct minikvm_vcpu_events events;

		vcpu_events_get(vcpu, &events);
		sync->events = events;
	}
}
