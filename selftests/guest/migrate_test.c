// SPDX-License-Identifier: GPL-2.0
/*
 * A vCPU in full run moves from VM to VM: everything the state ioctls save is
 * loaded into a fresh VM that has the same memory, and the guest does not notice:
 * its registers, vectors, timer and interrupts go on. Half of the moves find it in
 * the handler of its timer, with the vector in service.
 */
#include "vm.h"

#define MOVES	4
#define TICKS	GUEST_DATA		/* u64: timer interrupts taken */
#define TOUCH	(GUEST_CODE + 0x200)	/* where the second vCPU starts */
#define PORT_LOOP	0x10
#define PORT_HANDLER	0x11
#define PORT_TOUCHED	0x12

/*
 * Counts in R12, RBX (by 3) and XMM0, and leaves every 4096th time. The APIC
 * timer interrupts it meanwhile, and its handler leaves, too.
 */
GUEST_ASM(count_guest, 64,
	"	movl	$0xfee00000, %esi\n"
	"	movl	$0x1ff, 0xf0(%rsi)\n"		/* APIC on */
	"	movl	$0xb, 0x3e0(%rsi)\n"		/* divide by 1 */
	"	movl	$0x20040, 0x320(%rsi)\n"	/* periodic, vector 40h */
	"	movl	$1000000, 0x380(%rsi)\n"
	"	xorl	%ebx, %ebx\n"
	"	xorl	%r12d, %r12d\n"
	"	pxor	%xmm0, %xmm0\n"
	"	movl	$1, %eax\n"
	"	movq	%rax, %xmm1\n"
	"	sti\n"
	"1:	incq	%r12\n"
	"	addq	$3, %rbx\n"
	"	paddq	%xmm1, %xmm0\n"
	"	testl	$0xfff, %r12d\n"
	"	jnz	1b\n"
	"	outb	%al, $0x10\n"
	"	jmp	1b\n"
	"	.org	count_guest + 0x100, 0x90\n"	/* 8100: vector 40h */
	"	incq	0x40000\n"
	"	outb	%al, $0x11\n"
	"	movl	$0, 0xb0(%rsi)\n"
	"	iretq\n"
	"	.org	count_guest + 0x200, 0x90\n"	/* TOUCH */
	"	movq	0x1018, %rax\n"		/* GDT */
	"	movq	0x2400, %rax\n"		/* IDT */
	"	lock orl $0, 0x30ff8\n"		/* the first vCPU's stack */
	"	outb	%al, $0x12\n");

struct state {
	struct minikvm_sregs2 sregs;
	struct minikvm_msrs *msrs;
	struct minikvm_xcrs xcrs;
	struct minikvm_xsave *xsave;
	struct minikvm_vcpu_events events;
	struct minikvm_mp_state mp_state;
	struct minikvm_lapic_state lapic;
	struct minikvm_debugregs debugregs;
	struct minikvm_regs regs;
};

static void must(int ret, const char *what)
{
	if (ret)
		tap_bail("%s: %s", what, strerror(errno));
}

static struct minikvm_msrs *msr_table(int dev_fd)
{
	struct minikvm_msr_list head = { .nmsrs = 0 }, *list;
	struct minikvm_msrs *msrs;
	uint32_t i;

	ioctl(dev_fd, MINIKVM_GET_MSR_INDEX_LIST, &head);
	list = calloc(1, sizeof(*list) + head.nmsrs * sizeof(list->indices[0]));
	list->nmsrs = head.nmsrs;
	must(ioctl(dev_fd, MINIKVM_GET_MSR_INDEX_LIST, list), "GET_MSR_INDEX_LIST");
	msrs = calloc(1, sizeof(*msrs) + list->nmsrs * sizeof(msrs->entries[0]));
	msrs->nmsrs = list->nmsrs;
	for (i = 0; i < list->nmsrs; i++)
		msrs->entries[i].index = list->indices[i];
	free(list);
	return msrs;
}

static void save(struct vcpu *vcpu, struct state *s)
{
	/* What the last exit left open is completed, and no more. */
	vcpu->run->immediate_exit = 1;
	if (vcpu_run(vcpu) != -EINTR)
		tap_bail("RUN with immediate_exit did not end at once");
	vcpu->run->immediate_exit = 0;
	must(ioctl(vcpu->fd, MINIKVM_GET_VCPU_EVENTS, &s->events), "GET_VCPU_EVENTS");
	must(ioctl(vcpu->fd, MINIKVM_GET_MP_STATE, &s->mp_state), "GET_MP_STATE");
	must(ioctl(vcpu->fd, MINIKVM_GET_REGS, &s->regs), "GET_REGS");
	must(ioctl(vcpu->fd, MINIKVM_GET_XSAVE2, s->xsave), "GET_XSAVE2");
	must(ioctl(vcpu->fd, MINIKVM_GET_XCRS, &s->xcrs), "GET_XCRS");
	must(ioctl(vcpu->fd, MINIKVM_GET_SREGS2, &s->sregs), "GET_SREGS2");
	if (ioctl(vcpu->fd, MINIKVM_GET_MSRS, s->msrs) != (int)s->msrs->nmsrs)
		tap_bail("GET_MSRS does not read all that are listed");
	must(ioctl(vcpu->fd, MINIKVM_GET_LAPIC, &s->lapic), "GET_LAPIC");
	must(ioctl(vcpu->fd, MINIKVM_GET_DEBUGREGS, &s->debugregs), "GET_DEBUGREGS");
}

static void load(struct vcpu *vcpu, struct state *s)
{
	must(ioctl(vcpu->fd, MINIKVM_SET_SREGS2, &s->sregs), "SET_SREGS2");
	tap_eq(ioctl(vcpu->fd, MINIKVM_SET_MSRS, s->msrs), s->msrs->nmsrs,
	       "every MSR that was read can be written");
	must(ioctl(vcpu->fd, MINIKVM_SET_XCRS, &s->xcrs), "SET_XCRS");
	must(ioctl(vcpu->fd, MINIKVM_SET_XSAVE, s->xsave), "SET_XSAVE");
	must(ioctl(vcpu->fd, MINIKVM_SET_LAPIC, &s->lapic), "SET_LAPIC");
	must(ioctl(vcpu->fd, MINIKVM_SET_VCPU_EVENTS, &s->events), "SET_VCPU_EVENTS");
	must(ioctl(vcpu->fd, MINIKVM_SET_MP_STATE, &s->mp_state), "SET_MP_STATE");
	must(ioctl(vcpu->fd, MINIKVM_SET_DEBUGREGS, &s->debugregs), "SET_DEBUGREGS");
	must(ioctl(vcpu->fd, MINIKVM_SET_REGS, &s->regs), "SET_REGS");
}

/* What was loaded reads back. */
static void compare(struct vcpu *vcpu, struct state *s, struct state *now)
{
	save(vcpu, now);
	tap_ok(!memcmp(&s->regs, &now->regs, sizeof(s->regs)), "REGS read back");
	tap_ok(!memcmp(&s->sregs, &now->sregs, sizeof(s->sregs)), "SREGS2 reads back");
	tap_ok(!memcmp(&s->debugregs, &now->debugregs, sizeof(s->debugregs)),
	       "DEBUGREGS read back");
	tap_ok(!memcmp(&s->xcrs, &now->xcrs, sizeof(s->xcrs)), "XCRS read back");
	tap_ok(!memcmp(s->xsave->region, now->xsave->region, 416), "the x87 and SSE state, too");
}

static bool run_to_port(struct vcpu *vcpu)
{
	return !vcpu_run(vcpu) && vcpu->run->exit_reason == MINIKVM_EXIT_IO;
}

/* Until the timer has interrupted it @ticks times more. */
static void go(struct vcpu *vcpu, volatile uint64_t *ticks, unsigned int nr)
{
	uint64_t want = *ticks + nr, last = 0, xmm[2];
	struct minikvm_regs regs;
	struct minikvm_fpu fpu;
	unsigned int n;

	for (n = 0; n < 20000 && *ticks < want; n++) {
		if (!run_to_port(vcpu))
			break;
		if (vcpu->run->io.port != PORT_LOOP)
			continue;
		must(ioctl(vcpu->fd, MINIKVM_GET_REGS, &regs), "GET_REGS");
		must(ioctl(vcpu->fd, MINIKVM_GET_FPU, &fpu), "GET_FPU");
		memcpy(xmm, fpu.xmm[0], sizeof(xmm));
		if (regs.rbx != 3 * regs.r12 || xmm[0] != regs.r12 || regs.r12 <= last)
			break;
		last = regs.r12;
	}
	tap_ok(*ticks >= want, "the guest counts right, and its timer goes on (%llu ticks, %llu)",
	       (unsigned long long)*ticks, (unsigned long long)last);
}

/* On, up to the next exit of the loop, or of the handler. */
static void go_to_port(struct vcpu *vcpu, uint16_t port)
{
	unsigned int n;

	for (n = 0; n < 20000; n++) {
		if (!run_to_port(vcpu))
			break;
		if (vcpu->run->io.port == port)
			return;
	}
	tap_bail("the guest does not come to port %#x: %s", port,
		 exit_name(vcpu->run->exit_reason));
}

/*
 * A second vCPU has the VM map what the delivery of an interrupt touches: an
 * emulated CPU that delivers from a virtual APIC forgets the vector if that causes
 * an exit. The first is not touched: what it does first is to take over the state.
 */
static void touch_tables(struct vm *vm)
{
	struct minikvm_mp_state runnable = { .mp_state = MINIKVM_MP_STATE_RUNNABLE };
	struct vcpu *vcpu = vm_add_vcpu(vm, 1);

	vcpu_set_mode(vcpu, GUEST_LONG, TOUCH);
	must(ioctl(vcpu->fd, MINIKVM_SET_MP_STATE, &runnable), "SET_MP_STATE");
	go_to_port(vcpu, PORT_TOUCHED);
}

static struct vm *vm_with_memory_of(struct vm *vm)
{
	struct vm *new = vm_new(VM_IRQCHIP);

	must(vm_set_region(new, 0, 0, 0, NULL, 0), "deleting slot 0");
	must(vm_set_region(new, 0, 0, GUEST_MEM_SIZE, vm_hva(vm, 0), 0), "the same memory");
	return new;
}

int main(void)
{
	struct minikvm_debugregs debugregs = {
		.db = { 1, 2, 3, 4 }, .dr6 = 0xffff0ff0, .dr7 = 0x400,
	};
	struct vm *first = vm_new(VM_IRQCHIP), *vm = first;
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);
	uint64_t *gate = vm_hva(vm, GUEST_IDT + 16 * 0x40);
	int size = dev_check_extension(vm->fd, MINIKVM_CAP_XSAVE2);
	struct minikvm_sregs sregs;
	struct state state = {}, again = {};
	int i;

	tap_plan(0);
	if (size < (int)sizeof(struct minikvm_xsave))
		size = sizeof(struct minikvm_xsave);
	state.msrs = msr_table(vm->dev_fd);
	again.msrs = msr_table(vm->dev_fd);
	state.xsave = calloc(1, size);
	again.xsave = calloc(1, size);
	vm_load(vm, count_guest);
	gate[0] = 0x8100 | (uint64_t)GUEST_SEL_CODE64 << 16 | 0x8eULL << 40;
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	must(ioctl(vcpu->fd, MINIKVM_GET_SREGS, &sregs), "GET_SREGS");
	sregs.cr4 |= 1 << 9;			/* OSFXSR */
	must(ioctl(vcpu->fd, MINIKVM_SET_SREGS, &sregs), "SET_SREGS");
	must(ioctl(vcpu->fd, MINIKVM_SET_DEBUGREGS, &debugregs), "SET_DEBUGREGS");
	go(vcpu, vm_hva(first, TICKS), 3);

	for (i = 0; i < MOVES; i++) {
		struct vm *new = vm_with_memory_of(first);
		struct vcpu *new_vcpu = vm_add_vcpu(new, 0);

		touch_tables(new);
		go_to_port(vcpu, i & 1 ? PORT_HANDLER : PORT_LOOP);
		save(vcpu, &state);
		load(new_vcpu, &state);
		compare(new_vcpu, &state, &again);
		if (vm != first)
			vm_free(vm);
		vm = new;
		vcpu = new_vcpu;
		go(vcpu, vm_hva(first, TICKS), 3);
	}
	vm_free(vm);
	vm_free(first);
	free(state.msrs);
	free(again.msrs);
	free(state.xsave);
	free(again.xsave);
	return tap_done();
}
