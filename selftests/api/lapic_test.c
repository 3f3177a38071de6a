// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of GET_LAPIC and SET_LAPIC: who has a local APIC, its state at
 * reset, and that state set from outside acts on the guest.
 */
#include "api.h"

#define REG_ID		0x20
#define REG_VERSION	0x30
#define REG_TPR		0x80
#define REG_LDR		0xd0
#define REG_DFR		0xe0
#define REG_SVR		0xf0
#define REG_ISR		0x100
#define REG_IRR		0x200
#define REG_LVT_TIMER	0x320
#define REG_LVT_LINT0	0x350
#define REG_LVT_LINT1	0x360
#define REG_LVT_ERROR	0x370
#define REG_TIMER_INIT	0x380
#define REG_TIMER_CURRENT	0x390
#define REG_TIMER_DIV	0x3e0

static uint32_t reg(const struct minikvm_lapic_state *s, unsigned int offset)
{
	uint32_t value;

	memcpy(&value, s->regs + offset, sizeof(value));
	return value;
}

static void set_reg(struct minikvm_lapic_state *s, unsigned int offset,
		    uint32_t value)
{
	memcpy(s->regs + offset, &value, sizeof(value));
}

static void test_reset_state(struct vm *vm)
{
	struct minikvm_lapic_state s;
	unsigned int i, bits = 0;

	tap_errno(ioctl(vm->vcpu[1].fd, MINIKVM_GET_LAPIC, &s), 0, "GET_LAPIC");
	tap_eq(reg(&s, REG_ID), 1u << 24, "ID is the vCPU's");
	tap_eq(reg(&s, REG_VERSION) & 0xff, 0x14, "version is that of an APIC in a CPU");
	tap_ok((reg(&s, REG_VERSION) >> 16 & 0xff) >= 5, "at least 6 LVT entries");
	tap_eq(reg(&s, REG_SVR), 0xff, "SVR: disabled by software");
	tap_eq(reg(&s, REG_TPR), 0, "TPR is 0");
	tap_eq(reg(&s, REG_DFR), 0xffffffff, "DFR: flat model");
	tap_eq(reg(&s, REG_LDR), 0, "LDR is 0");
	tap_eq(reg(&s, REG_LVT_TIMER), 0x10000, "LVT timer is masked");
	tap_eq(reg(&s, REG_LVT_LINT1), 0x10000, "LVT LINT1 is masked");
	tap_eq(reg(&s, REG_LVT_ERROR), 0x10000, "LVT error is masked");
	for (i = 0; i < 8; i++)
		bits |= reg(&s, REG_ISR + 16 * i) | reg(&s, REG_IRR + 16 * i);
	tap_eq(bits, 0, "nothing is pending or in service");

	tap_errno(ioctl(vm->vcpu[0].fd, MINIKVM_GET_LAPIC, &s), 0, "GET_LAPIC");
	tap_eq(reg(&s, REG_LVT_LINT0), 0x700,
	       "LINT0 of the boot CPU takes interrupts from the PIC");
}

static void test_roundtrip(struct vcpu *vcpu)
{
	static const struct {
		unsigned int offset;
		uint32_t value;
		const char *name;
	} set[] = {
		{ REG_SVR, 0x1ff, "SVR" }, { REG_TPR, 0x50, "TPR" },
		{ REG_LDR, 0x02000000, "LDR" },
		{ REG_LVT_TIMER, 0x200ef, "LVT timer" },
		{ REG_LVT_LINT0, 0x10700, "LVT LINT0" },
		{ REG_LVT_LINT1, 0x400, "LVT LINT1" },
		{ REG_LVT_ERROR, 0xfe, "LVT error" },
		{ REG_TIMER_DIV, 0xb, "timer divider" },
	};
	struct minikvm_lapic_state s, back;
	size_t i;

	ioctl(vcpu->fd, MINIKVM_GET_LAPIC, &s);
	for (i = 0; i < ARRAY_SIZE(set); i++)
		set_reg(&s, set[i].offset, set[i].value);
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_LAPIC, &s), 0, "SET_LAPIC");
	memset(&back, 0xff, sizeof(back));
	tap_errno(ioctl(vcpu->fd, MINIKVM_GET_LAPIC, &back), 0, "GET_LAPIC again");
	for (i = 0; i < ARRAY_SIZE(set); i++)
		tap_eq(reg(&back, set[i].offset), set[i].value, "%s is as set",
		       set[i].name);
	set_reg(&s, REG_VERSION, 0xffffffff);
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_LAPIC, &s), 0,
		  "SET_LAPIC with another version");
	ioctl(vcpu->fd, MINIKVM_GET_LAPIC, &back);
	tap_eq(reg(&back, REG_VERSION) & 0xff, 0x14, "the version cannot be set");
	test_efault(vcpu->fd, MINIKVM_SET_LAPIC, sizeof(s), "SET_LAPIC");
	test_efault(vcpu->fd, MINIKVM_GET_LAPIC, sizeof(s), "GET_LAPIC");
}

/* A vector set in the IRR from outside, as after a migration, is delivered. */
static void test_pending(struct vm *vm, struct vcpu *vcpu)
{
	struct minikvm_lapic_state s;

	irq_guest_load(vm);
	vcpu_set_mode(vcpu, GUEST_REAL, GUEST_CODE);
	ioctl(vcpu->fd, MINIKVM_GET_LAPIC, &s);
	set_reg(&s, REG_SVR, 0x1ff);
	set_reg(&s, REG_TPR, 0);
	set_reg(&s, REG_IRR + 0x10 * (0x52 / 32), 1u << 0x52 % 32);
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_LAPIC, &s), 0,
		  "SET_LAPIC with a pending vector");
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "guest turns interrupts on");
	if (vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "the guest is interrupted"))
		tap_eq(vcpu_io_value(vcpu), 0x52, "by the vector that was set");
	ioctl(vcpu->fd, MINIKVM_GET_LAPIC, &s);
	tap_eq(reg(&s, REG_ISR + 0x10 * (0x52 / 32)), 1u << 0x52 % 32,
	       "the vector is in service");
	tap_eq(reg(&s, REG_IRR + 0x10 * (0x52 / 32)), 0, "and pending no more");

	/* A timer set from outside runs. */
	vcpu_set_mode(vcpu, GUEST_REAL, GUEST_CODE);
	memset(s.regs + REG_ISR, 0, 0x80);
	set_reg(&s, REG_TIMER_DIV, 0xb);
	set_reg(&s, REG_LVT_TIMER, 0x66);
	set_reg(&s, REG_TIMER_INIT, 1000);
	set_reg(&s, REG_TIMER_CURRENT, 1000);
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_LAPIC, &s), 0,
		  "SET_LAPIC with a timer");
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "guest turns interrupts on");
	if (vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "the guest is interrupted"))
		tap_eq(vcpu_io_value(vcpu), 0x66, "by the timer");
}

int main(void)
{
	struct minikvm_lapic_state s = { 0 };
	struct vm *vm = vm_new(VM_BARE);

	tap_plan(0);
	vm_add_vcpu(vm, 0);
	tap_errno(ioctl(vm->vcpu[0].fd, MINIKVM_GET_LAPIC, &s), EINVAL,
		  "GET_LAPIC without irqchip");
	tap_errno(ioctl(vm->vcpu[0].fd, MINIKVM_SET_LAPIC, &s), EINVAL,
		  "SET_LAPIC without irqchip");
	vm_free(vm);

	vm = vm_new(VM_IRQCHIP);
	vm_add_vcpu(vm, 0);
	vm_add_vcpu(vm, 1);
	test_reset_state(vm);
	test_roundtrip(&vm->vcpu[1]);
	test_pending(vm, &vm->vcpu[0]);
	vm_free(vm);
	return tap_done();
}
