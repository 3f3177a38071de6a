// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of X2APIC_API: APIC ids of 32 bits in GET_LAPIC, SET_LAPIC and
 * messages, and who a destination of 0xff means.
 */
#include "api.h"

#define BIG_ID		300
#define VEC		0x41
#define APIC_ID		0x20
#define APIC_LDR	0xd0
#define APIC_IRR	0x200
#define MSR_APICBASE	0x1b

static int enable(struct vm *vm, uint64_t flags)
{
	struct minikvm_enable_cap c = { .cap = MINIKVM_CAP_X2APIC_API, .args[0] = flags };

	return ioctl(vm->fd, MINIKVM_ENABLE_CAP, &c);
}

static struct vcpu *add_x2apic(struct vm *vm, unsigned int id)
{
	struct minikvm_cpuid2 *cpuid = cpuid_supported(vm->dev_fd);
	struct vcpu *vcpu = vm_add_vcpu(vm, id);
	uint64_t base;

	if (ioctl(vcpu->fd, MINIKVM_SET_CPUID2, cpuid))
		tap_bail("SET_CPUID2: %s", strerror(errno));
	free(cpuid);
	if (vcpu_get_msr(vcpu, MSR_APICBASE, &base) != 1 ||
	    vcpu_set_msr(vcpu, MSR_APICBASE, base | 0x400) != 1)
		tap_bail("x2APIC mode: %s", strerror(errno));
	lapic_enable(vcpu);
	return vcpu;
}

static int send(struct vm *vm, uint32_t lo, uint32_t hi)
{
	struct minikvm_msi msi = { .address_lo = 0xfee00000 | lo, .address_hi = hi, .data = VEC };

	return ioctl(vm->fd, MINIKVM_SIGNAL_MSI, &msi);
}

static bool arrived(struct vcpu *vcpu)
{
	struct minikvm_lapic_state lapic;
	uint32_t word = lapic_read(vcpu, APIC_IRR + VEC / 32 * 0x10);
	uint32_t rest = word & ~(1u << VEC % 32);

	/* Taken away again for the next look. */
	ioctl(vcpu->fd, MINIKVM_GET_LAPIC, &lapic);
	memcpy(lapic.regs + APIC_IRR + VEC / 32 * 0x10, &rest, 4);
	ioctl(vcpu->fd, MINIKVM_SET_LAPIC, &lapic);
	return word & (1u << VEC % 32);
}

static int set_id(struct vcpu *vcpu, uint32_t id)
{
	struct minikvm_lapic_state lapic;

	ioctl(vcpu->fd, MINIKVM_GET_LAPIC, &lapic);
	memcpy(lapic.regs + APIC_ID, &id, sizeof(id));
	return ioctl(vcpu->fd, MINIKVM_SET_LAPIC, &lapic);
}

static void test_small(void)
{
	struct vm *vm = vm_new(VM_IRQCHIP);
	struct vcpu *a = add_x2apic(vm, 0), *b = add_x2apic(vm, 5);

	tap_eq(lapic_read(b, APIC_ID), 5u << 24, "without the capability: id in bits 31:24");
	tap_eq(lapic_read(b, APIC_LDR), 1u << 5, "LDR follows from the id");
	tap_eq(send(vm, 0x5000, 0x100), 1, "the upper half of an address does not count");
	tap_ok(!arrived(a) && arrived(b), "... APIC 5 was meant");
	tap_eq(send(vm, 0xff000, 0), 2, "destination 0xff");
	tap_ok(arrived(a) & arrived(b), "... means all");
	vm_free(vm);
}

static void test_flags(struct vm *vm)
{
	tap_eq(dev_check_extension(vm->fd, MINIKVM_CAP_X2APIC_API), 3, "CAP_X2APIC_API: flags");
	tap_errno(enable(vm, 4), EINVAL, "an unknown flag");
	tap_errno(enable(vm, ~0ull), EINVAL, "all flags");
	tap_errno(enable(vm, 0), 0, "no flag");
	tap_errno(enable(vm, MINIKVM_X2APIC_API_USE_32BIT_IDS), 0, "32-bit ids");
}

static void test_big(void)
{
	struct vm *vm = vm_new(VM_IRQCHIP);
	struct vcpu *a, *b;
	struct {
		struct minikvm_irq_routing head;
		struct minikvm_irq_routing_entry entry;
	} table = {
		.head.nr = 1,
		.entry = { .gsi = 1, .type = MINIKVM_IRQ_ROUTING_MSI,
			   .u.msi = { .address_lo = 0xfee00000, .address_hi = 1, .data = VEC } },
	};

	test_flags(vm);
	a = add_x2apic(vm, 0);
	b = add_x2apic(vm, BIG_ID);
	tap_eq(lapic_read(b, APIC_ID), BIG_ID, "the id is whole");
	tap_errno(set_id(b, BIG_ID), 0, "SET_LAPIC with it");
	tap_errno(set_id(b, 44u << 24), EINVAL, "SET_LAPIC with another");
	tap_errno(set_id(a, 1), EINVAL, "SET_LAPIC of the first with another");
	tap_eq(lapic_read(b, APIC_LDR), (BIG_ID >> 4) << 16 | 1u << (BIG_ID & 15),
	       "LDR follows from the id");
	tap_errno(send(vm, 0, 1), EINVAL, "reserved bits of the upper half");
	tap_errno(ioctl(vm->fd, MINIKVM_SET_GSI_ROUTING, &table), EINVAL, "... in a route");
	tap_eq(send(vm, (BIG_ID & 0xff) << 12, BIG_ID & ~0xff), 1, "a message to id 300");
	tap_ok(!arrived(a) & arrived(b), "... reaches that one");
	tap_eq(send(vm, 0xff000, 0), 2, "destination 0xff");
	tap_ok(arrived(a) & arrived(b), "... means all");
	tap_errno(enable(vm, MINIKVM_X2APIC_API_DISABLE_BROADCAST_QUIRK), 0,
		  "the broadcast quirk off");
	tap_ok(send(vm, 0xff000, 0) <= 0, "destination 0xff");
	tap_ok(!arrived(a) & !arrived(b), "... means APIC 255, which is not there");
	tap_eq(send(vm, 0xff000, 0xffffff00), 2, "destination of 32 ones");
	tap_ok(arrived(a) & arrived(b), "... means all");
	vm_free(vm);
}

int main(void)
{
	tap_plan(0);
	test_small();
	test_big();
	return tap_done();
}
