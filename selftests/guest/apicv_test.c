// SPDX-License-Identifier: GPL-2.0
/*
 * A local APIC at work, as a CPU that virtualizes it and a program that emulates it must both have it:
 * priorities, nesting, what is requested and in service, in xAPIC and x2APIC mode; the state saved and
 * restored in the middle of it; registers that cannot be read or written; and another address.
 */
#include <string.h>

#include "gvm.h"

#define LOW		0x51
#define MID		0x71
#define HIGH		0x91
#define OTHER_BASE	0xfed80000ul
#define X2APIC_ENABLE	0x400ul

enum { STAGE_IN_SERVICE = 1, STAGE_MOVED };

static bool x2apic;
static volatile uint64_t base = APIC_BASE;
static volatile uint64_t seen[256], order[8], nr;
static volatile bool send_high, stop_in_mid;
static volatile uint64_t isr_inside, irr_inside, ppr_inside;
static volatile uint64_t low_dropped, low_inside;

static uint64_t reg_read(uint32_t reg)
{
	return x2apic ? rdmsr(MSR_X2APIC + (reg >> 4)) : *(volatile uint32_t *)(base + reg);
}

static void reg_write(uint32_t reg, uint32_t v)
{
	if (x2apic)
		wrmsr(MSR_X2APIC + (reg >> 4), v);
	else
		*(volatile uint32_t *)(base + reg) = v;
}

static void self_ipi(unsigned int vector)
{
	if (x2apic && vector != MID)
		reg_write(APIC_SELF_IPI, vector);
	else
		reg_write(APIC_ICR, APIC_DEST_SELF | vector);
}

static bool bit_of(uint32_t bank, unsigned int vector)
{
	return reg_read(bank + (vector >> 5) * 0x10) >> (vector & 31) & 1;
}

static void took(unsigned int vector)
{
	seen[vector]++;
	if (nr < 8)
		order[nr++] = vector;
}

static void on_low(struct guest_trap_frame *f)
{
	(void)f;
	took(LOW);
	reg_write(APIC_EOI, 0);
}

static void on_mid(struct guest_trap_frame *f)
{
	(void)f;
	took(MID);
	self_ipi(LOW);
	if (send_high)
		self_ipi(HIGH);
	sti();
	guest_relax();
	cli();
	isr_inside = bit_of(APIC_ISR, MID) | (uint64_t)bit_of(APIC_ISR, LOW) << 1;
	irr_inside = bit_of(APIC_IRR, LOW);
	ppr_inside = reg_read(APIC_PPR);
	if (stop_in_mid) {
		guest_sync(STAGE_IN_SERVICE, 0);
		low_dropped = !bit_of(APIC_IRR, LOW);
		self_ipi(LOW);
		sti();
		guest_relax();
		cli();
		low_inside = seen[LOW];
	}
	reg_write(APIC_EOI, 0);
}

static void on_high(struct guest_trap_frame *f)
{
	(void)f;
	took(HIGH);
	reg_write(APIC_EOI, 0);
}

static void forget(void)
{
	unsigned int i;

	for (i = 0; i < 256; i++)
		seen[i] = 0;
	for (i = 0; i < 8; i++)
		order[i] = 0;
	nr = 0;
}

static void window(void)
{
	sti();
	guest_relax();
	cli();
}

static void nesting(void)
{
	forget();
	send_high = true;
	self_ipi(MID);
	guest_check(bit_of(APIC_IRR, MID) && !bit_of(APIC_ISR, MID), "with interrupts off it is a request");
	window();
	guest_check(nr == 3 && order[0] == MID && order[1] == HIGH && order[2] == LOW,
		    "a higher one interrupts the handler, a lower one waits for its EOI");
	guest_eq(isr_inside, 1, "... while it is in service and the lower one is not");
	guest_check(irr_inside, "... but requested");
	guest_eq(ppr_inside & 0xf0, MID & 0xf0, "... the processor's priority is its own");
	guest_eq(reg_read(APIC_PPR), 0, "afterwards it is zero");
	guest_check(!bit_of(APIC_ISR, MID) && !bit_of(APIC_IRR, LOW), "... nothing is left");
	send_high = false;
}

static void priority(void)
{
	forget();
	reg_write(APIC_TPR, 0x60);
	guest_eq(read_cr8(), 6, "CR8 is the TPR's class");
	self_ipi(LOW);
	window();
	guest_check(!seen[LOW] && bit_of(APIC_IRR, LOW), "the task priority holds a lower class back");
	self_ipi(HIGH);
	window();
	guest_check(seen[HIGH] == 1 && !seen[LOW], "... and lets a higher one pass");
	sti();
	write_cr8(4);
	guest_relax();
	cli();
	guest_check(seen[LOW] == 1, "lowering CR8 lets it in");
	write_cr8(9);
	self_ipi(HIGH);
	window();
	guest_check(seen[HIGH] == 1, "its own class does not pass");
	sti();
	reg_write(APIC_TPR, 0x8f);
	guest_relax();
	cli();
	guest_check(seen[HIGH] == 2, "lowering the TPR lets it in");
	write_cr8(0);
}

/* The host saves the state with MID in service and LOW requested, and restores it with HIGH in its stead. */
static void saved(void)
{
	forget();
	stop_in_mid = true;
	self_ipi(MID);
	window();
	stop_in_mid = false;
	window();
	guest_check(seen[HIGH] == 1 && low_dropped, "the vector of the restored state comes, the other is gone");
	guest_check(!low_inside && seen[LOW] == 1, "... what was restored as in service holds a lower one back");
	guest_eq(reg_read(APIC_PPR), 0, "... and nothing stays in service");
	forget();
	self_ipi(LOW);
	window();
	guest_check(seen[LOW] == 1, "interrupts go on after it");
}

static void halted(void)
{
	unsigned int i;

	forget();
	for (i = 0; i < 20; i++) {
		self_ipi(LOW);
		self_ipi(HIGH);
		sti_hlt_cli();
	}
	guest_check(seen[LOW] >= 1 && seen[HIGH] == 20, "a request ends a halt, twenty times");
	window();
	guest_eq(seen[LOW], 20, "... and none is lost");
}

static void both(void)
{
	nesting();
	priority();
	saved();
	halted();
}

static void x2apic_registers(void)
{
	uint64_t v;

	guest_eq(guest_try_rdmsr(MSR_X2APIC + 0x02, &v), ~0ull, "x2APIC: the id can be read");
	guest_eq(guest_try_wrmsr(MSR_X2APIC + 0x02, 0), EX_GP, "x2APIC: ... not written");
	guest_eq(guest_try_rdmsr(MSR_X2APIC + 0x0b, &v), EX_GP, "x2APIC: EOI cannot be read");
	guest_eq(guest_try_rdmsr(MSR_X2APIC + 0x3f, &v), EX_GP, "x2APIC: self-IPI cannot be read");
	guest_eq(guest_try_rdmsr(MSR_X2APIC + 0x0e, &v), EX_GP, "x2APIC: there is no destination format");
	guest_eq(guest_try_rdmsr(MSR_X2APIC + 0x04, &v), EX_GP, "x2APIC: reserved registers cannot be read");
	guest_eq(guest_try_wrmsr(MSR_X2APIC + 0x10, 0), EX_GP, "x2APIC: ISR cannot be written");
	guest_eq(guest_try_rdmsr(MSR_X2APIC + 0x39, &v), ~0ull, "x2APIC: the timer's count can be read");
	guest_eq(reg_read(APIC_VERSION) & 0xff, 0x14, "x2APIC: version");
}

static void xapic_registers(void)
{
	reg_write(APIC_LDR, 0xa5ffffff);
	guest_eq(reg_read(APIC_LDR), 0xa5000000, "xAPIC: only the logical id of LDR is kept");
	reg_write(APIC_LDR, 0x01000000);
	reg_write(APIC_DFR, 0);
	guest_eq(reg_read(APIC_DFR), 0x0fffffff, "xAPIC: only the model of DFR is kept");
	reg_write(APIC_DFR, 0xffffffff);
	reg_write(APIC_LVT_ERROR, 0xffffffff);
	guest_eq(reg_read(APIC_LVT_ERROR) & 0xff, 0xff, "xAPIC: the error entry keeps its vector");
	reg_write(APIC_TDCR, 0xffffffff);
	guest_eq(reg_read(APIC_TDCR) & 0xb, 0xb, "xAPIC: the divisor is kept");
	reg_write(APIC_VERSION, 0);
	guest_eq(reg_read(APIC_VERSION) & 0xff, 0x14, "xAPIC: the version is not writable");
	/* Reserved bits of a page's other parts of a register read and write nothing. */
	guest_eq(*(volatile uint8_t *)(base + APIC_VERSION), 0x14, "xAPIC: a byte of it can be read");
	/* Software disable masks the LVT; enabling alone does not unmask it. */
	reg_write(APIC_LVT_ERROR, 0xfe);
	guest_eq(reg_read(APIC_LVT_ERROR), 0xfe, "xAPIC: an unmasked entry");
	reg_write(APIC_SVR, 0xff);
	reg_write(APIC_SVR, 0x1ff);
	guest_eq(reg_read(APIC_LVT_ERROR), APIC_MASKED | 0xfe, "... is masked after the APIC was disabled");
}

static void guest_main(void)
{
	guest_set_handler(LOW, on_low);
	guest_set_handler(MID, on_mid);
	guest_set_handler(HIGH, on_high);
	apic_enable();
	xapic_registers();
	both();

	wrmsr(MSR_APICBASE, rdmsr(MSR_APICBASE) | X2APIC_ENABLE);
	x2apic = true;
	reg_write(APIC_SVR, 0x1ff);
	x2apic_registers();
	both();

	/* Back to an xAPIC, which is a way through "disabled". */
	wrmsr(MSR_APICBASE, APIC_BASE | 0x100);
	wrmsr(MSR_APICBASE, APIC_BASE | 0x900);
	x2apic = false;
	reg_write(APIC_SVR, 0x1ff);
	both();

	wrmsr(MSR_APICBASE, OTHER_BASE | 0x900);
	base = OTHER_BASE;
	reg_write(APIC_SVR, 0x1ff);
	guest_eq(reg_read(APIC_VERSION) & 0xff, 0x14, "the registers can be elsewhere");
	both();
	guest_sync(STAGE_MOVED, *(volatile uint32_t *)(APIC_BASE + APIC_VERSION));

	wrmsr(MSR_APICBASE, APIC_BASE | 0x900);
	base = APIC_BASE;
	both();
	guest_done();
}

static uint32_t *lapic_word(struct minikvm_lapic_state *s, unsigned int bank, unsigned int vector)
{
	return (uint32_t *)(s->regs + bank + (vector >> 5) * 0x10);
}

static void save_restore(struct gvm *vm)
{
	struct minikvm_lapic_state s;
	int fd = vm->vcpu[0].fd;

	GVM_IOCTL(fd, MINIKVM_GET_LAPIC, &s);
	tap_ok(*lapic_word(&s, APIC_ISR, MID) & 1u << (MID & 31), "the saved state has the vector in service");
	tap_ok(*lapic_word(&s, APIC_IRR, LOW) & 1u << (LOW & 31), "... and the one requested");
	tap_eq(*(uint32_t *)(s.regs + APIC_PPR) & 0xf0, MID & 0xf0, "... and the priority");
	*lapic_word(&s, APIC_IRR, LOW) &= ~(1u << (LOW & 31));
	*lapic_word(&s, APIC_IRR, HIGH) |= 1u << (HIGH & 31);
	GVM_IOCTL(fd, MINIKVM_SET_LAPIC, &s);
	memset(&s, 0, sizeof(s));
	GVM_IOCTL(fd, MINIKVM_GET_LAPIC, &s);
	tap_ok(*lapic_word(&s, APIC_IRR, HIGH) & 1u << (HIGH & 31) &&
	       !(*lapic_word(&s, APIC_IRR, LOW) & 1u << (LOW & 31)) &&
	       *lapic_word(&s, APIC_ISR, MID) & 1u << (MID & 31), "a state that was set is read back");
}

/* Where the registers are not, there is nothing: the access is userspace's to answer. */
static bool on_mmio(struct gvm_vcpu *v, struct minikvm_run *run)
{
	uint32_t answer = 0x600df00d;

	(void)v;
	if (run->mmio.phys_addr != APIC_BASE + APIC_VERSION || run->mmio.is_write)
		return false;
	memcpy(run->mmio.data, &answer, sizeof(answer));
	return true;
}

int main(void)
{
	struct gvm *vm;
	int stop;

	gvm_start();
	if (!gvm_cpuid_has(1, 0, 2, 21))
		tap_skip_all("no x2APIC");
	vm = gvm_create(1, GVM_IRQCHIP);
	vm->mmio = on_mmio;
	gvm_enter64(vm, 0, guest_main);
	while ((stop = gvm_run(vm, 0)) == GVM_SYNC) {
		if (vm->sync_stage == STAGE_IN_SERVICE)
			save_restore(vm);
		else
			tap_eq(vm->sync_value, 0x600df00d, "where they were before there is nothing");
	}
	tap_eq(stop, GVM_DONE, "the guest runs to its end");
	gvm_destroy(vm);
	return gvm_finish();
}
