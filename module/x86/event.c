// SPDX-License-Identifier: GPL-2.0
/*
 * Exceptions, NMIs and interrupts on their way into the guest: how a second
 * exception combines with a first, and which event goes in at the next entry.
 *
 * Only one event fits an entry. The rest wait here, and a window exit is asked
 * for, so that the guest comes back as soon as it can take the next one.
 */
#include "../minikvm.h"
#include "../irqchip/irqchip.h"
#include "../irqchip/lapic.h"
#include "../trace.h"
#include "debug.h"
#include "x86.h"

#define VEC_DE	0
#define VEC_DB	1
#define VEC_NMI	2
#define VEC_BP	3
#define VEC_OF	4
#define VEC_DF	8
#define VEC_TS	10
#define VEC_NP	11
#define VEC_SS	12
#define VEC_GP	13
#define VEC_PF	14
#define VEC_MC	18

#define DR6_CAUSES	0xful

enum exception_class { CLASS_BENIGN, CLASS_CONTRIBUTORY, CLASS_PAGE_FAULT };

/*
 * Intel SDM vol. 3A (December 2023), "Interrupt 8 - Double Fault Exception (#DF)".
 * SDM: "Interrupt 8-Double Fault Exception (#DF)".
 */
static enum exception_class exception_class(u8 vector)
{
	switch (vector) {
	case VEC_PF:
		return CLASS_PAGE_FAULT;
	case VEC_DE:
	case VEC_TS:
	case VEC_NP:
	case VEC_SS:
	case VEC_GP:
		return CLASS_CONTRIBUTORY;
	default:
		return CLASS_BENIGN;
	}
}

static bool makes_double_fault(u8 first, u8 second)
{
	enum exception_class a = exception_class(first);
	enum exception_class b = exception_class(second);

	return (a == CLASS_CONTRIBUTORY && b == CLASS_CONTRIBUTORY) ||
	       (a == CLASS_PAGE_FAULT && b != CLASS_BENIGN);
}

/* Faults restart their instruction, and RF keeps it from breaking again. */
static bool is_fault(u8 vector)
{
	switch (vector) {
	case VEC_DB:	/* as a trap: the instruction is done */
	case VEC_NMI:
	case VEC_BP:
	case VEC_OF:
	case VEC_DF:
	case VEC_MC:
		return false;
	default:
		return true;
	}
}

/**
 * events_apply_payload - change CR2 or DR6 as an exception does
 * @vcpu: the vCPU
 * @ex: the exception; has no payload any more
 *
 * Done when it is raised, as on a CPU. Only userspace, with SET_VCPU_EVENTS,
 * can leave it for the delivery.
 */
void events_apply_payload(struct vcpu *vcpu, struct queued_exception *ex)
{
	if (!ex->has_payload)
		return;
	ex->has_payload = false;
	if (ex->vector == VEC_PF) {
		vcpu->cr2 = ex->payload;
	} else if (ex->vector == VEC_DB) {
		vcpu->dr6 &= ~DR6_CAUSES;
		vcpu->dr6 |= ex->payload;
		/* Active-low causes (RTM, bus lock) arrive as 1 and show as 0. */
		vcpu->dr6 ^= ex->payload & DR6_ACTIVE_LOW;
	}
	ex->payload = 0;
}

static void queue_exception(struct vcpu *vcpu, const struct queued_exception *new)
{
	struct queued_exception *ex = &vcpu->events.exception;
	u8 first = ex->vector;

	vcpu_set_request(vcpu, REQ_EVENT);
	if (!ex->pending && !ex->injected) {
		*ex = *new;
		events_apply_payload(vcpu, ex);
		return;
	}
	if (first == VEC_DF) {
		vcpu_set_request(vcpu, REQ_TRIPLE_FAULT);
		return;
	}
	if (makes_double_fault(first, new->vector)) {
		*ex = (struct queued_exception) {
			.pending = true, .vector = VEC_DF, .has_error_code = true,
		};
		return;
	}
	/* The first one comes again when its instruction is restarted. */
	*ex = *new;
	events_apply_payload(vcpu, ex);
}

/**
 * inject_exception - raise an exception without an error code
 * @vcpu: the vCPU, by its own thread
 * @vector: exception vector
 */
void inject_exception(struct vcpu *vcpu, u8 vector)
{
	queue_exception(vcpu, &(struct queued_exception) {
		.pending = true, .vector = vector,
	});
}

/**
 * inject_exception_err - raise an exception with an error code
 * @vcpu: the vCPU, by its own thread
 * @vector: exception vector
 * @error_code: pushed on the guest's stack
 */
void inject_exception_err(struct vcpu *vcpu, u8 vector, u32 error_code)
{
	queue_exception(vcpu, &(struct queued_exception) {
		.pending = true, .vector = vector,
		.has_error_code = true, .error_code = error_code,
	});
}

/**
 * inject_page_fault - raise #PF
 * @vcpu: the vCPU, by its own thread
 * @cr2: the faulting linear address
 * @error_code: as the guest's handler sees it
 */
void inject_page_fault(struct vcpu *vcpu, u64 cr2, u32 error_code)
{
	queue_exception(vcpu, &(struct queued_exception) {
		.pending = true, .vector = VEC_PF,
		.has_error_code = true, .error_code = error_code,
		.has_payload = true, .payload = cr2,
	});
}

/**
 * inject_db - raise #DB
 * @vcpu: the vCPU, by its own thread
 * @dr6_payload: the causes, in DR6's positions, all active high
 */
void inject_db(struct vcpu *vcpu, u64 dr6_payload)
{
	queue_exception(vcpu, &(struct queued_exception) {
		.pending = true, .vector = VEC_DB,
		.has_payload = true, .payload = dr6_payload,
	});
}

/**
 * events_requeue_exception - the exit interrupted this exception's delivery
 * @vcpu: the vCPU
 * @vector: exception vector
 * @has_err: whether it pushes @err
 * @err: error code
 *
 * It goes in again as it was: its effects on CR2 and DR6 already happened.
 */
void events_requeue_exception(struct vcpu *vcpu, u8 vector, bool has_err, u32 err)
{
	vcpu->events.exception = (struct queued_exception) {
		.injected = true, .vector = vector,
		.has_error_code = has_err, .error_code = err,
	};
	vcpu_set_request(vcpu, REQ_EVENT);
}

/**
 * inject_nmi - send an NMI to a vCPU
 * @vcpu: any vCPU
 *
 * Context: any.
 */
void inject_nmi(struct vcpu *vcpu)
{
	atomic_inc(&vcpu->events.nmi_queued);
	vcpu_request(vcpu, REQ_EVENT);
}

/**
 * events_collect_nmis - count the NMIs that were sent since the last look
 * @vcpu: the vCPU, loaded
 *
 * A CPU latches one NMI while another is in service. While none is, two that
 * arrived together are both delivered, one after the other.
 */
void events_collect_nmis(struct vcpu *vcpu)
{
	struct vcpu_events *ev = &vcpu->events;
	u32 limit = 2;

	if (!atomic_read(&ev->nmi_queued))
		return;
	if (ev->nmi_injected || vendor->get_nmi_mask(vcpu))
		limit = 1;
	ev->nmi_pending = min_t(u32, ev->nmi_pending + atomic_xchg(&ev->nmi_queued, 0), limit);
}

/* An event whose delivery an exit cut short goes first: was there one? */
static bool deliver_again(struct vcpu *vcpu)
{
	struct vcpu_events *ev = &vcpu->events;

	if (ev->exception.injected) {
		trace_kvm_inj_exception(&ev->exception, true);
		vendor->inject_exception(vcpu);
	} else if (ev->exception.pending) {
		return false;
	} else if (ev->nmi_injected) {
		vendor->inject_nmi(vcpu);
	} else if (ev->interrupt.injected) {
		trace_kvm_inj_virq(ev->interrupt.nr, ev->interrupt.soft, true);
		vendor->inject_irq(vcpu);
	} else {
		return false;
	}
	return true;
}

static void deliver_exception(struct vcpu *vcpu)
{
	struct queued_exception *ex = &vcpu->events.exception;

	events_apply_payload(vcpu, ex);
	if (is_fault(ex->vector))
		debug_rflags_set(vcpu, debug_rflags_get(vcpu) | X86_EFLAGS_RF);
	if (ex->vector == VEC_DB && (vcpu->dr7 & DR7_GD)) {
		vcpu->dr7 &= ~DR7_GD;
		debug_update_dr7(vcpu);
	}
	ex->pending = false;
	ex->injected = true;
	trace_kvm_inj_exception(ex, false);
	vendor->inject_exception(vcpu);
}

static bool deliver_nmi(struct vcpu *vcpu, bool room)
{
	struct vcpu_events *ev = &vcpu->events;

	events_collect_nmis(vcpu);
	if (!ev->nmi_pending)
		return room;
	if (room && vendor->nmi_allowed(vcpu)) {
		ev->nmi_pending--;
		ev->nmi_injected = true;
		vendor->inject_nmi(vcpu);
		room = false;
	}
	if (ev->nmi_pending)
		vendor->request_nmi_window(vcpu);
	return room;
}

static void deliver_irq(struct vcpu *vcpu, bool room)
{
	struct vcpu_events *ev = &vcpu->events;
	int vector;

	lapic_sync(vcpu);
	if (!vcpu_irq_injectable(vcpu))
		return;
	if (room && vendor->irq_allowed(vcpu)) {
		vector = vcpu_irq_ack(vcpu);
		if (vector >= 0) {
			ev->interrupt.injected = true;
			ev->interrupt.soft = false;
			ev->interrupt.nr = vector;
			trace_kvm_inj_virq(vector, false, false);
			vendor->inject_irq(vcpu);
		}
		if (!vcpu_irq_injectable(vcpu))
			return;
	}
	vendor->request_irq_window(vcpu);
}

/**
 * events_deliver - choose what goes into the guest at the next entry
 * @vcpu: the vCPU, by its own thread, REQ_EVENT taken
 *
 * Source: Intel SDM vol. 3A (December 2023), "Prioritization of Concurrent Events".
 */
void events_deliver(struct vcpu *vcpu)
{
	bool room = !deliver_again(vcpu);

	if (room && vcpu->events.exception.pending) {
		deliver_exception(vcpu);
		room = false;
	}
	if (!(vcpu->guest_debug & MINIKVM_GUESTDBG_BLOCKIRQ)) {
		room = deliver_nmi(vcpu, room);
		deliver_irq(vcpu, room);
	}
	if (unlikely(vcpu->user_irq_window) && vcpu_wants_irq_window(vcpu))
		vendor->request_irq_window(vcpu);
	if (vcpu->lapic && !lapic_delivers(vcpu))
		vendor->update_tpr(vcpu, lapic_get_cr8(vcpu),
				   lapic_highest_request(vcpu));
}
