// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of GET_VCPU_EVENTS and SET_VCPU_EVENTS: which flags count when,
 * and that what is set is read back, and happens.
 */
#include "api.h"

#define PAYLOAD		MINIKVM_VCPUEVENT_VALID_PAYLOAD
#define TRIPLE		MINIKVM_VCPUEVENT_VALID_TRIPLE_FAULT
#define SHADOW		MINIKVM_VCPUEVENT_VALID_SHADOW
#define NMI_PENDING	MINIKVM_VCPUEVENT_VALID_NMI_PENDING
#define SMM		MINIKVM_VCPUEVENT_VALID_SMM
#define SIPI		MINIKVM_VCPUEVENT_VALID_SIPI_VECTOR

static struct minikvm_vcpu_events get(struct vcpu *vcpu)
{
	struct minikvm_vcpu_events ev;

	memset(&ev, 0xff, sizeof(ev));
	if (ioctl(vcpu->fd, MINIKVM_GET_VCPU_EVENTS, &ev))
		tap_bail("GET_VCPU_EVENTS: %s", strerror(errno));
	return ev;
}

static int set(struct vcpu *vcpu, const struct minikvm_vcpu_events *ev)
{
	return ioctl(vcpu->fd, MINIKVM_SET_VCPU_EVENTS, ev);
}

static int enable(struct vm *vm, uint32_t cap, uint64_t arg)
{
	struct minikvm_enable_cap c = { .cap = cap, .args[0] = arg };

	return ioctl(vm->fd, MINIKVM_ENABLE_CAP, &c);
}

static void test_initial(struct vcpu *vcpu)
{
	struct minikvm_vcpu_events ev = get(vcpu), zero = { 0 };

	tap_eq(ev.flags, NMI_PENDING | SHADOW | SMM, "flags that always count");
	ev.flags = 0;
	tap_ok(!memcmp(&ev, &zero, sizeof(ev)), "nothing waits at first");
	test_efault(vcpu->fd, MINIKVM_GET_VCPU_EVENTS, sizeof(ev), "GET_VCPU_EVENTS");
	test_efault(vcpu->fd, MINIKVM_SET_VCPU_EVENTS, sizeof(ev), "SET_VCPU_EVENTS");
}

static void test_flags(struct vcpu *vcpu)
{
	struct minikvm_vcpu_events ev;
	unsigned int bit;

	for (bit = 6; bit < 32; bit++) {
		ev = get(vcpu);
		ev.flags |= 1u << bit;
		if (set(vcpu, &ev) != -1 || errno != EINVAL)
			break;
	}
	tap_eq(bit, 32, "unknown flags are refused");
	ev = get(vcpu);
	ev.flags |= PAYLOAD;
	tap_errno(set(vcpu, &ev), EINVAL, "PAYLOAD without its capability");
	ev = get(vcpu);
	ev.flags |= TRIPLE;
	tap_errno(set(vcpu, &ev), EINVAL, "TRIPLE_FAULT without its capability");
	ev = get(vcpu);
	ev.flags |= SIPI;
	ev.sipi_vector = 0x12;
	tap_errno(set(vcpu, &ev), 0, "SIPI_VECTOR");
	tap_eq(get(vcpu).sipi_vector, 0, "... is never read back");
}

static void test_exception(struct vcpu *vcpu)
{
	static const struct {
		uint8_t nr, injected;
		int err;
	} cases[] = {
		{ 13, 1, 0 }, { 31, 1, 0 }, { 32, 1, EINVAL }, { 255, 1, EINVAL },
		{ 2, 1, EINVAL }, { 2, 0, 0 }, { 255, 0, 0 },
	};
	struct minikvm_vcpu_events ev;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		ev = get(vcpu);
		ev.exception.nr = cases[i].nr;
		ev.exception.injected = cases[i].injected;
		tap_errno(set(vcpu, &ev), cases[i].err, "exception %u, injected %u",
			  cases[i].nr, cases[i].injected);
	}
	ev = get(vcpu);
	ev.exception.nr = 13;
	ev.exception.injected = 1;
	ev.exception.has_error_code = 1;
	ev.exception.error_code = 0x18;
	ev.exception.pending = 1;
	set(vcpu, &ev);
	ev = get(vcpu);
	tap_ok(ev.exception.injected && ev.exception.nr == 13 &&
	       ev.exception.has_error_code && ev.exception.error_code == 0x18,
	       "an injected #GP is read back");
	tap_eq(ev.exception.pending, 0, "pending does not count without PAYLOAD");
	ev.exception.nr = 3;
	set(vcpu, &ev);
	tap_eq(get(vcpu).exception.injected, 0, "an injected #BP is not shown");
	ev.exception.injected = 0;
	set(vcpu, &ev);
}

static void test_interrupt(struct vcpu *vcpu)
{
	struct minikvm_vcpu_events ev = get(vcpu);

	ev.interrupt.injected = 1;
	ev.interrupt.nr = 0x55;
	tap_errno(set(vcpu, &ev), 0, "an interrupt");
	ev = get(vcpu);
	tap_ok(ev.interrupt.injected && ev.interrupt.nr == 0x55, "it is read back");
	ev.interrupt.soft = 1;
	set(vcpu, &ev);
	tap_eq(get(vcpu).interrupt.injected, 0, "a software interrupt is not shown");
	ev.interrupt.injected = 0;
	ev.interrupt.soft = 0;
	ev.interrupt.shadow = MINIKVM_X86_SHADOW_INT_STI;
	set(vcpu, &ev);
	tap_eq(get(vcpu).interrupt.shadow & MINIKVM_X86_SHADOW_INT_STI,
	       MINIKVM_X86_SHADOW_INT_STI, "STI's shadow is read back");
	ev.flags &= ~SHADOW;
	ev.interrupt.shadow = 0;
	set(vcpu, &ev);
	tap_ok(get(vcpu).interrupt.shadow, "without SHADOW it stays");
	ev.flags |= SHADOW;
	set(vcpu, &ev);
	tap_eq(get(vcpu).interrupt.shadow, 0, "with SHADOW it goes");
}

static void test_nmi(struct vcpu *vcpu)
{
	struct minikvm_vcpu_events ev;

	tap_errno(ioctl(vcpu->fd, MINIKVM_NMI, 0), 0, "NMI");
	ev = get(vcpu);
	tap_eq(ev.nmi.pending, 1, "it is pending");
	ev.nmi.pending = 0;
	ev.flags &= ~NMI_PENDING;
	set(vcpu, &ev);
	tap_eq(get(vcpu).nmi.pending, 1, "without NMI_PENDING it stays");
	ev.flags |= NMI_PENDING;
	ev.nmi.masked = 1;
	ev.nmi.injected = 1;
	set(vcpu, &ev);
	ev = get(vcpu);
	tap_ok(!ev.nmi.pending && ev.nmi.masked && ev.nmi.injected,
	       "an NMI in service is read back");
	ev.nmi.masked = 0;
	ev.nmi.injected = 0;
	set(vcpu, &ev);
	ev = get(vcpu);
	tap_ok(!ev.nmi.masked && !ev.nmi.injected, "... and removed");
}

static void test_payload(struct vm *vm, struct vcpu *vcpu)
{
	struct minikvm_vcpu_events ev;

	tap_errno(enable(vm, MINIKVM_CAP_EXCEPTION_PAYLOAD, 1), 0,
		  "ENABLE_CAP(EXCEPTION_PAYLOAD)");
	ev = get(vcpu);
	tap_ok(ev.flags & PAYLOAD, "GET has the flag now");
	ev.exception.nr = 14;
	ev.exception.pending = 1;
	ev.exception.injected = 1;
	ev.exception.has_error_code = 1;
	ev.exception_has_payload = 1;
	ev.exception_payload = 0x123456000;
	tap_errno(set(vcpu, &ev), 0, "a pending #PF");
	ev = get(vcpu);
	tap_ok(ev.exception.pending && ev.exception.nr == 14 && ev.exception_has_payload &&
	       ev.exception_payload == 0x123456000, "it is read back");
	tap_eq(ev.exception.injected, 0, "pending wins over injected");
	ev.exception.nr = 2;
	tap_errno(set(vcpu, &ev), EINVAL, "a pending exception 2");
	ev.exception.nr = 14;
	ev.exception.pending = 0;
	ev.exception.injected = 1;
	set(vcpu, &ev);
	tap_eq(get(vcpu).exception_has_payload, 0, "injected: no payload");
	ev.exception.injected = 0;
	set(vcpu, &ev);
	tap_errno(enable(vm, MINIKVM_CAP_EXCEPTION_PAYLOAD, 0), 0, "... and off again");
	tap_eq(get(vcpu).flags & PAYLOAD, 0, "the flag is gone");
}

static void test_triple_fault(struct vm *vm, struct vcpu *vcpu)
{
	struct minikvm_vcpu_events ev;

	tap_errno(enable(vm, MINIKVM_CAP_X86_TRIPLE_FAULT_EVENT, 1), 0,
		  "ENABLE_CAP(X86_TRIPLE_FAULT_EVENT)");
	ev = get(vcpu);
	tap_ok((ev.flags & TRIPLE) && !ev.triple_fault.pending, "GET has the flag now");
	ev.triple_fault.pending = 1;
	tap_errno(set(vcpu, &ev), 0, "a triple fault");
	tap_eq(get(vcpu).triple_fault.pending, 1, "it is read back");
	ev.triple_fault.pending = 0;
	set(vcpu, &ev);
	tap_eq(get(vcpu).triple_fault.pending, 0, "... and removed");
	ev.triple_fault.pending = 1;
	set(vcpu, &ev);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_SHUTDOWN, "it happens at the next RUN");
	tap_eq(get(vcpu).triple_fault.pending, 0, "once");
}

static void test_delivery(void)
{
	struct vm *vm = vm_new(VM_IRQCHIP);
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);
	struct minikvm_vcpu_events ev;

	irq_guest_load(vm);
	vcpu_set_mode(vcpu, GUEST_REAL, GUEST_CODE);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "the guest is ready");
	ev = get(vcpu);
	ev.interrupt.injected = 1;
	ev.interrupt.nr = 0x35;
	set(vcpu, &ev);
	irq_guest_expect(vcpu, 0x35, "an interrupt set as injected");
	ev = get(vcpu);
	tap_eq(ev.interrupt.injected, 0, "it is gone then");
	ev.exception.injected = 1;
	ev.exception.nr = 6;
	set(vcpu, &ev);
	irq_guest_expect(vcpu, 6, "an exception set as injected");
	ev = get(vcpu);
	ev.nmi.pending = 1;
	set(vcpu, &ev);
	irq_guest_expect(vcpu, 2, "an NMI set as pending");
	tap_eq(get(vcpu).nmi.masked, 1, "its handler masks the next one");
	vm_free(vm);
}

int main(void)
{
	struct vm *vm = vm_new(VM_IRQCHIP);
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);

	tap_plan(0);
	test_initial(vcpu);
	test_flags(vcpu);
	test_exception(vcpu);
	test_interrupt(vcpu);
	test_nmi(vcpu);
	test_payload(vm, vcpu);
	test_triple_fault(vm, vcpu);
	vm_free(vm);
	test_delivery();
	return tap_done();
}
