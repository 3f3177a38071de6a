// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of RUN's arguments and of each exit it returns with: which
 * fields are filled in, and what userspace hands back.
 */
#include "api.h"

GUEST_ASM(pio_guest, 64,
	"	movl	$0x11223344, %eax\n"
	"	movl	$0x1e0, %edx\n"
	"	outb	%al, %dx\n"
	"	outw	%ax, %dx\n"
	"	outl	%eax, %dx\n"
	"	inb	%dx, %al\n"
	"	outl	%eax, $0xe1\n"
	"	inw	%dx, %ax\n"
	"	outl	%eax, $0xe1\n"
	"	inl	%dx, %eax\n"
	"	outl	%eax, $0xe1\n"
	"	hlt\n");

/* RSI: address. A store and a load of each size. */
GUEST_ASM(mmio_guest, 64,
	"	movabs	$0x1122334455667788, %rax\n"
	"	movb	%al, (%rsi)\n"
	"	movb	(%rsi), %bl\n"
	"	movw	%ax, (%rsi)\n"
	"	movw	(%rsi), %bx\n"
	"	movl	%eax, (%rsi)\n"
	"	movl	(%rsi), %ebx\n"
	"	movq	%rax, (%rsi)\n"
	"	movq	(%rsi), %rbx\n"
	"	outb	%al, $0xe0\n");

GUEST_ASM(string_guest, 64,
	"	cld\n"
	"	movl	$0x1e0, %edx\n"
	"	movl	$100, %ecx\n"
	"	rep	outsb\n"
	"	movl	$50, %ecx\n"
	"	rep	insw\n"
	"	outb	%al, $0xe0\n");

GUEST_ASM(ud_guest, 64, "	ud2\n");

static void restart(struct vcpu *vcpu, uint64_t rsi, uint64_t rdi)
{
	struct minikvm_regs regs = {
		.rip = GUEST_CODE, .rflags = 2, .rsi = rsi, .rdi = rdi,
	};

	if (ioctl(vcpu->fd, MINIKVM_SET_REGS, &regs))
		tap_bail("SET_REGS: %s", strerror(errno));
}

static void *io_data(struct vcpu *vcpu)
{
	if (vcpu->run->io.data_offset >= vcpu->run_size)
		tap_bail("data_offset %#llx is outside of the mapping",
			 (unsigned long long)vcpu->run->io.data_offset);
	return (char *)vcpu->run + vcpu->run->io.data_offset;
}

static void test_arguments(struct vcpu *vcpu)
{
	tap_errno(ioctl(vcpu->fd, MINIKVM_RUN, 1), EINVAL, "RUN with an argument");
	tap_errno(ioctl(vcpu->fd, MINIKVM_RUN, -1L), EINVAL, "RUN with ~0");
	tap_errno(ioctl(vcpu->fd, MINIKVM_CREATE_VM, 0), EINVAL,
		  "a vCPU has no CREATE_VM");
	tap_errno(ioctl(vcpu->fd, _IO(MINIKVMIO, 0xfe), 0), EINVAL,
		  "unknown number of a vCPU");
	tap_errno(ioctl(vcpu->fd, _IO('x', 0x80), 0), EINVAL,
		  "unknown magic of a vCPU");
}

static void test_pio(struct vm *vm, struct vcpu *vcpu)
{
	static const uint32_t in[] = { 0x112233aa, 0x1122bbbb, 0xcccccccc };
	struct minikvm_run *run = vcpu->run;
	unsigned int size, i;

	vm_load(vm, pio_guest);
	restart(vcpu, 0, 0);
	for (size = 1; size <= 4; size *= 2) {
		vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "OUT of %u bytes", size);
		tap_ok(run->io.direction == MINIKVM_EXIT_IO_OUT &&
		       run->io.size == size && run->io.port == 0x1e0 &&
		       run->io.count == 1, "OUT of %u bytes: fields", size);
		tap_eq(vcpu_io_value(vcpu), 0x11223344 & (0xffffffffu >> (32 - 8 * size)),
		       "OUT of %u bytes: value", size);
	}
	for (i = 0, size = 1; size <= 4; i++, size *= 2) {
		vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "IN of %u bytes", size);
		tap_ok(run->io.direction == MINIKVM_EXIT_IO_IN &&
		       run->io.size == size && run->io.port == 0x1e0 &&
		       run->io.count == 1, "IN of %u bytes: fields", size);
		memcpy(io_data(vcpu), &in[i], size);
		vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "guest tells EAX");
		/* What an IN leaves of EAX is part of the value. */
		tap_eq(vcpu_io_value(vcpu), in[i],
		       "IN of %u bytes: EAX", size);
	}
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_HLT,
			 "HLT without irqchip is userspace's business");
}

static void test_mmio(struct vm *vm, struct vcpu *vcpu)
{
	static const uint64_t in = 0xa1b2c3d4e5f60718;
	struct minikvm_run *run = vcpu->run;
	struct minikvm_regs regs;
	uint64_t data, mask;
	unsigned int size;

	vm_load(vm, mmio_guest);
	restart(vcpu, 0xd0000000, 0);
	for (size = 1; size <= 8; size *= 2) {
		mask = ~0ULL >> (64 - 8 * size);
		vcpu_expect_exit(vcpu, MINIKVM_EXIT_MMIO, "store of %u bytes",
				 size);
		tap_ok(run->mmio.phys_addr == 0xd0000000 &&
		       run->mmio.len == size && run->mmio.is_write == 1,
		       "store of %u bytes: fields", size);
		memcpy(&data, run->mmio.data, 8);
		tap_eq(data & mask, 0x1122334455667788 & mask,
		       "store of %u bytes: value", size);
		vcpu_expect_exit(vcpu, MINIKVM_EXIT_MMIO, "load of %u bytes",
				 size);
		tap_ok(run->mmio.phys_addr == 0xd0000000 &&
		       run->mmio.len == size && run->mmio.is_write == 0,
		       "load of %u bytes: fields", size);
		memcpy(run->mmio.data, &in, 8);
	}
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "the last load completes");
	ioctl(vcpu->fd, MINIKVM_GET_REGS, &regs);
	tap_eq(regs.rbx, in, "load of 8 bytes: value");
}

static void test_string(struct vm *vm, struct vcpu *vcpu)
{
	struct minikvm_run *run = vcpu->run;
	uint8_t *from = vm_hva(vm, GUEST_DATA), seen[100], *to;
	unsigned int i, done, exits;
	uint16_t item;
	bool good = true;

	for (i = 0; i < 100; i++)
		from[i] = (uint8_t)(i * 3);
	to = vm_hva(vm, GUEST_DATA + 0x1000);
	memset(to, 0, 200);
	vm_load(vm, string_guest);
	restart(vcpu, GUEST_DATA, GUEST_DATA + 0x1000);
	for (done = 0, exits = 0; done < 100 && exits < 100; exits++) {
		if (vcpu_run(vcpu) || run->exit_reason != MINIKVM_EXIT_IO ||
		    run->io.direction != MINIKVM_EXIT_IO_OUT ||
		    run->io.size != 1 || run->io.count > 100 - done)
			break;
		memcpy(seen + done, io_data(vcpu), run->io.count);
		done += run->io.count;
	}
	tap_eq(done, 100, "REP OUTSB hands out 100 bytes");
	tap_ok(!memcmp(seen, from, 100), "REP OUTSB: the bytes");
	for (done = 0, exits = 0; done < 50 && exits < 50; exits++) {
		if (vcpu_run(vcpu) || run->exit_reason != MINIKVM_EXIT_IO ||
		    run->io.direction != MINIKVM_EXIT_IO_IN ||
		    run->io.size != 2 || run->io.count > 50 - done)
			break;
		for (i = 0; i < run->io.count; i++) {
			item = (uint16_t)(0x4000 + done++);
			memcpy((uint16_t *)io_data(vcpu) + i, &item, 2);
		}
	}
	tap_eq(done, 50, "REP INSW asks for 50 words");
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "guest goes on");
	for (i = 0; i < 50; i++) {
		memcpy(&item, to + 2 * i, 2);
		good = good && item == 0x4000 + i;
	}
	tap_ok(good, "REP INSW: the words are in guest memory");
}

static void test_shutdown(struct vm *vm, struct vcpu *vcpu)
{
	vm_load(vm, ud_guest);
	restart(vcpu, 0, 0);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_SHUTDOWN,
			 "an exception without handler is a triple fault");
}

static void test_cr8(struct vm *vm, struct vcpu *vcpu)
{
	struct minikvm_sregs sregs;

	/* Without irqchip the task priority comes from the run page. */
	vm_load(vm, pio_guest);
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	vcpu->run->cr8 = 9;
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "RUN with CR8 9");
	ioctl(vcpu->fd, MINIKVM_GET_SREGS, &sregs);
	tap_eq(sregs.cr8, 9, "CR8 is as set in the run page");
	vcpu->run->cr8 = 16;
	tap_eq(vcpu_run(vcpu), -EINVAL, "RUN with CR8 16 is refused");
	vcpu->run->cr8 = 0;
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "RUN with CR8 0");
	tap_eq(vcpu->run->apic_base, 0xfee00900, "the run page tells APIC_BASE");
	tap_eq(vcpu->run->if_flag, 0, "the run page tells that IF is clear");
}

/* The reset vector, just below 4 GiB, is in no slot of these VMs. */
static void test_no_memory(void)
{
	struct vm *vm = vm_new(0);
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);

	if (vcpu_expect_exit(vcpu, MINIKVM_EXIT_INTERNAL_ERROR,
			     "RUN where there is no memory"))
		tap_eq(vcpu->run->internal.suberror,
		       MINIKVM_INTERNAL_ERROR_EMULATION,
		       "the error is one of emulation");
	vm_free(vm);

	/* The bound of page tables follows the slots: without any there are none. */
	vm = vm_new(VM_BARE);
	vcpu = vm_add_vcpu(vm, 0);
	tap_eq(vcpu_run(vcpu), -ENOSPC, "RUN of a VM that never had a slot");
	vcpu->run->immediate_exit = 1;
	tap_eq(vcpu_run(vcpu), -EINTR, "immediate_exit comes first");
	vcpu->run->immediate_exit = 0;
	if (ioctl(vm->fd, MINIKVM_SET_NR_MMU_PAGES, 64))
		tap_bail("SET_NR_MMU_PAGES: %s", strerror(errno));
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_INTERNAL_ERROR, "with a bound it gets further");
	vm_free(vm);
}

static void test_nmi(void)
{
	struct vm *vm = vm_new(VM_IRQCHIP);
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);

	irq_guest_load(vm);
	vcpu_set_mode(vcpu, GUEST_REAL, GUEST_CODE);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "guest is ready");
	if (!dev_check_extension(vm->fd, MINIKVM_CAP_USER_NMI)) {
		tap_skip("no capability USER_NMI");
	} else {
		tap_errno(ioctl(vcpu->fd, MINIKVM_NMI, 0), 0, "NMI");
		vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "NMI interrupts the guest");
		tap_eq(vcpu_io_value(vcpu), 2, "with vector 2");
	}
	vm_free(vm);
}

int main(void)
{
	struct vm *vm = vm_new(0);
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);

	tap_plan(0);
	test_arguments(vcpu);
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	test_pio(vm, vcpu);
	test_mmio(vm, vcpu);
	test_string(vm, vcpu);
	test_shutdown(vm, vcpu);
	test_cr8(vm, vcpu);
	vm_free(vm);
	test_no_memory();
	test_nmi();
	return tap_done();
}
