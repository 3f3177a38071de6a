// SPDX-License-Identifier: GPL-2.0
/*
 * GET_VCPU_EVENTS and SET_VCPU_EVENTS: the events of event.c as userspace saves
 * and restores them.
 *
 * KVM's ABI grew: what userspace did not ask for with ENABLE_CAP keeps its old
 * meaning. Without EXCEPTION_PAYLOAD a pending exception reads as an injected
 * one, its payload already in CR2 or DR6. There is no system-management mode
 * here, so the fields that describe it read as zero and accept nothing else;
 * smi.latched_init, an INIT that waits, has a meaning without it.
 */
#include <linux/string.h>

#include "../minikvm.h"
#include "../irqchip/lapic.h"
#include "x86.h"

#define VEC_NMI		2
#define VEC_BP		3
#define VEC_OF		4

#define EVENTS_FLAGS	(MINIKVM_VCPUEVENT_VALID_NMI_PENDING |		\
			 MINIKVM_VCPUEVENT_VALID_SIPI_VECTOR |		\
			 MINIKVM_VCPUEVENT_VALID_SHADOW |		\
			 MINIKVM_VCPUEVENT_VALID_SMM |			\
			 MINIKVM_VCPUEVENT_VALID_PAYLOAD |		\
			 MINIKVM_VCPUEVENT_VALID_TRIPLE_FAULT)

static void get_exception(struct vcpu *vcpu, struct minikvm_vcpu_events *ev)
{
	struct queued_exception *ex = &vcpu->events.exception;

	if (!vcpu->vm->exception_payload && ex->pending)
		events_apply_payload(vcpu, ex);

	/*
	 * INT3 and INTO: how long the instruction was has no place in the ABI.
	 * RIP is still on it, so it raises the exception again.
	 */
	if (ex->vector != VEC_BP && ex->vector != VEC_OF) {
		ev->exception.injected = ex->injected;
		ev->exception.pending = ex->pending;
		if (!vcpu->vm->exception_payload)
			ev->exception.injected |= ex->pending;
	}
	ev->exception.nr = ex->vector;
	ev->exception.has_error_code = ex->has_error_code;
	ev->exception.error_code = ex->error_code;
	ev->exception_has_payload = ex->has_payload;
	ev->exception_payload = ex->payload;
}

/**
 * vcpu_events_get - GET_VCPU_EVENTS
 * @vcpu: the vCPU, loaded
 * @ev: filled in; unknown fields zero
 *
 * Fields that count only with a capability are marked in @ev->flags when it is
 * enabled for the VM.
 */
void vcpu_events_get(struct vcpu *vcpu, struct minikvm_vcpu_events *ev)
{
	struct vcpu_events *events = &vcpu->events;

	memset(ev, 0, sizeof(*ev));
	events_collect_nmis(vcpu);
	get_exception(vcpu, ev);

	/* A software interrupt's instruction comes again, as with INT3. */
	ev->interrupt.injected = events->interrupt.injected && !events->interrupt.soft;
	ev->interrupt.nr = events->interrupt.nr;
	ev->interrupt.shadow = vendor->get_shadow(vcpu);

	ev->nmi.injected = events->nmi_injected;
	ev->nmi.pending = events->nmi_pending != 0;
	ev->nmi.masked = vendor->get_nmi_mask(vcpu);

	/* The vector of a SIPI that was taken is in CS by now. */
	ev->sipi_vector = 0;
	ev->smi.latched_init = vcpu->lapic && test_bit(APIC_EVENT_INIT, &vcpu->apic_events);

	ev->flags = MINIKVM_VCPUEVENT_VALID_NMI_PENDING | MINIKVM_VCPUEVENT_VALID_SHADOW |
		    MINIKVM_VCPUEVENT_VALID_SMM;
	if (vcpu->vm->exception_payload)
		ev->flags |= MINIKVM_VCPUEVENT_VALID_PAYLOAD;
	if (vcpu->vm->triple_fault_event) {
		ev->triple_fault.pending = test_bit(REQ_TRIPLE_FAULT, &vcpu->requests);
		ev->flags |= MINIKVM_VCPUEVENT_VALID_TRIPLE_FAULT;
	}
}

static bool events_valid(struct vcpu *vcpu, const struct minikvm_vcpu_events *ev)
{
	bool payload = ev->flags & MINIKVM_VCPUEVENT_VALID_PAYLOAD;

	if (ev->flags & ~EVENTS_FLAGS)
		return false;
	if (payload && !vcpu->vm->exception_payload)
		return false;
	if ((ev->exception.injected || (payload && ev->exception.pending)) &&
	    (ev->exception.nr > 31 || ev->exception.nr == VEC_NMI))
		return false;
	if ((ev->flags & MINIKVM_VCPUEVENT_VALID_SMM) &&
	    (ev->smi.smm || ev->smi.pending || ev->smi.smm_inside_nmi))
		return false;
	return !(ev->flags & MINIKVM_VCPUEVENT_VALID_TRIPLE_FAULT) ||
	       vcpu->vm->triple_fault_event;
}

static void set_exception(struct vcpu *vcpu, const struct minikvm_vcpu_events *ev)
{
	/* Without the flag, pending and the payload are not looked at. */
	bool pending = (ev->flags & MINIKVM_VCPUEVENT_VALID_PAYLOAD) && ev->exception.pending;

	vcpu->events.exception = (struct queued_exception) {
		.pending = pending,
		.injected = ev->exception.injected && !pending,
		.vector = ev->exception.nr,
		.has_error_code = ev->exception.has_error_code,
		.error_code = ev->exception.error_code,
		.has_payload = pending && ev->exception_has_payload,
		.payload = ev->exception_payload,
	};
}

static void set_apic_events(struct vcpu *vcpu, const struct minikvm_vcpu_events *ev)
{
	if (!vcpu->lapic)
		return;
	if (ev->flags & MINIKVM_VCPUEVENT_VALID_SIPI_VECTOR)
		WRITE_ONCE(vcpu->sipi_vector, ev->sipi_vector);
	if (!(ev->flags & MINIKVM_VCPUEVENT_VALID_SMM))
		return;
	if (ev->smi.latched_init)
		set_bit(APIC_EVENT_INIT, &vcpu->apic_events);
	else
		clear_bit(APIC_EVENT_INIT, &vcpu->apic_events);
}

/**
 * vcpu_events_set - SET_VCPU_EVENTS
 * @vcpu: the vCPU, loaded
 * @ev: in; optional fields count as @ev->flags says
 *
 * Return: 0; -EINVAL, nothing changed: an unknown flag, one whose capability the
 * VM has not enabled, an exception vector that does not exist (or is the NMI's),
 * or a state of system-management mode, which does not exist.
 */
int vcpu_events_set(struct vcpu *vcpu, const struct minikvm_vcpu_events *ev)
{
	struct vcpu_events *events = &vcpu->events;

	if (!events_valid(vcpu, ev))
		return -EINVAL;

	events_collect_nmis(vcpu);
	set_exception(vcpu, ev);
	events->interrupt.injected = ev->interrupt.injected;
	events->interrupt.nr = ev->interrupt.nr;
	events->interrupt.soft = ev->interrupt.soft;
	if (ev->flags & MINIKVM_VCPUEVENT_VALID_SHADOW)
		vendor->set_shadow(vcpu, ev->interrupt.shadow);

	events->nmi_injected = ev->nmi.injected;
	/* A boolean by its meaning; two is all that can wait. */
	if (ev->flags & MINIKVM_VCPUEVENT_VALID_NMI_PENDING)
		events->nmi_pending = min_t(u32, ev->nmi.pending, 2);
	vendor->set_nmi_mask(vcpu, ev->nmi.masked);
	set_apic_events(vcpu, ev);

	if (ev->flags & MINIKVM_VCPUEVENT_VALID_TRIPLE_FAULT) {
		if (ev->triple_fault.pending)
			vcpu_set_request(vcpu, REQ_TRIPLE_FAULT);
		else
			clear_bit(REQ_TRIPLE_FAULT, &vcpu->requests);
	}
	vcpu_set_request(vcpu, REQ_EVENT);
	return 0;
}
