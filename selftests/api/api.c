// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the helpers of api.h.
 */
#include <cpuid.h>
#include <sys/mman.h>

#include "api.h"

/**
 * cpu_is_intel() - whether the host's CPU has VMX's vendor
 *
 * For the few points in which an emulated AMD CPU falls short of a real one.
 *
 * Return: true for GenuineIntel.
 */
bool cpu_is_intel(void)
{
	unsigned int eax, ebx = 0, ecx, edx;

	return __get_cpuid(0, &eax, &ebx, &ecx, &edx) && ebx == signature_INTEL_ebx;
}

/**
 * page_end() - memory that ends where unmapped memory begins
 * @size: bytes, at most a page
 *
 * Return: @size zeroed bytes; reading or writing one more faults. Never freed.
 */
void *page_end(size_t size)
{
	char *map = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (size > 4096 || map == MAP_FAILED || munmap(map + 4096, 4096))
		tap_bail("page_end(%zu)", size);
	return map + 4096 - size;
}

/**
 * test_efault() - report two points: an ioctl checks its pointer
 * @fd: any descriptor
 * @cmd: ioctl with a structure argument
 * @size: size of the structure
 * @name: name of the ioctl
 *
 * The pointer is bad as a whole, then its last byte is out of reach.
 */
void test_efault(int fd, unsigned long cmd, size_t size, const char *name)
{
	tap_errno(ioctl(fd, cmd, BAD_PTR), EFAULT, "%s, bad pointer", name);
	tap_errno(ioctl(fd, cmd, page_end(size - 1)), EFAULT,
		  "%s, structure cut short by one byte", name);
}

/*
 * Loaded at GUEST_CODE. Every vector up to 0x7f leads to a stub that reports
 * its number on PORT_IRQ and sends EOI to both PICs; the first thing the guest
 * does is to report PORT_READY. DS and the IVT have base 0.
 */
GUEST_ASM(irq_guest, 16,
	/* IRET unblocks NMIs: an emulated CPU may still block them for the guest before (lab.rst). */
	"	pushfw\n"
	"	pushw	%cs\n"
	"	pushw	$0x8000 + 1f - irq_guest\n"
	"	iretw\n"
	"1:	sti\n"
	"	outb	%al, $0x10\n"
	"2:	hlt\n"
	"	jmp	2b\n"
	"	.balign 16\n"
	/* 16 bytes per stub */
	"	.set	vector, 0\n"
	"	.rept	128\n"
	"	movb	$vector, %al\n"
	"	outb	%al, $0x11\n"
	"	movb	$0x20, %al\n"
	"	outb	%al, $0xa0\n"
	"	outb	%al, $0x20\n"
	"	iret\n"
	"	.balign 16\n"
	"	.set	vector, vector + 1\n"
	"	.endr\n");

/**
 * irq_guest_load() - load irq_guest and point the IVT at its stubs
 * @vm: VM with the memory of vm_new()
 */
void irq_guest_load(struct vm *vm)
{
	uint32_t *ivt = vm_hva(vm, 0);
	unsigned int i;

	vm_load(vm, irq_guest);
	for (i = 0; i < 128; i++)
		ivt[i] = GUEST_CODE + 16 + 16 * i;	/* segment 0 */
}

/**
 * irq_guest_expect() - run irq_guest and report two points: it is interrupted
 * @vcpu: vCPU that runs irq_guest and has reported PORT_READY
 * @vector: vector expected
 * @what: what sends it, for the points' names
 */
void irq_guest_expect(struct vcpu *vcpu, uint32_t vector, const char *what)
{
	if (vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "%s reaches the guest", what))
		tap_ok(vcpu->run->io.port == PORT_IRQ &&
		       vcpu_io_value(vcpu) == vector, "%s: vector %#x", what,
		       vector);
}

/**
 * lapic_enable() - software-enable a vCPU's local APIC
 * @vcpu: vCPU of a VM with an in-kernel irqchip
 */
void lapic_enable(struct vcpu *vcpu)
{
	struct minikvm_lapic_state lapic;
	uint32_t svr = 0x1ff;

	if (ioctl(vcpu->fd, MINIKVM_GET_LAPIC, &lapic))
		tap_bail("GET_LAPIC: %s", strerror(errno));
	memcpy(lapic.regs + 0xf0, &svr, sizeof(svr));
	if (ioctl(vcpu->fd, MINIKVM_SET_LAPIC, &lapic))
		tap_bail("SET_LAPIC: %s", strerror(errno));
}

/**
 * lapic_read() - read a local APIC register from outside
 * @vcpu: vCPU of a VM with an in-kernel irqchip
 * @reg: offset in the xAPIC page
 *
 * Return: its value.
 */
uint32_t lapic_read(struct vcpu *vcpu, unsigned int reg)
{
	struct minikvm_lapic_state lapic;
	uint32_t value;

	if (ioctl(vcpu->fd, MINIKVM_GET_LAPIC, &lapic))
		tap_bail("GET_LAPIC: %s", strerror(errno));
	memcpy(&value, lapic.regs + reg, sizeof(value));
	return value;
}

/* Any mode; interrupts on, so that the host gets its own interrupts. */
GUEST_ASM(spin_guest, 32,
	"	sti\n"
	"1:	jmp	1b\n");

/*
 * Loaded at GUEST_CODE. RSI: address. Reports what is read there, then stores
 * EBX there, and says so.
 */
GUEST_ASM(access_guest, 64,
	"1:	movl	(%rsi), %eax\n"
	"	outl	%eax, $0xe0\n"
	"	movl	%ebx, (%rsi)\n"
	"	outb	%al, $0xe1\n"
	"	jmp	1b\n");

/**
 * access_start() - make the vCPU begin access_guest
 * @vcpu: vCPU of a VM with access_guest loaded, in long mode
 * @gpa: what it reads and stores to
 * @store: what it stores
 */
void access_start(struct vcpu *vcpu, uint64_t gpa, uint32_t store)
{
	struct minikvm_regs regs = {
		.rip = GUEST_CODE, .rflags = 2, .rsi = gpa, .rbx = store,
	};

	/* Completes what an earlier exit left open, before it is overwritten. */
	vcpu->run->immediate_exit = 1;
	vcpu_run(vcpu);
	vcpu->run->immediate_exit = 0;
	if (ioctl(vcpu->fd, MINIKVM_SET_REGS, &regs))
		tap_bail("SET_REGS: %s", strerror(errno));
}

/**
 * access_expect_read() - report two points: access_guest reads memory
 * @vcpu: vCPU
 * @want: what it must read
 * @what: what the points are about
 */
void access_expect_read(struct vcpu *vcpu, uint32_t want, const char *what)
{
	if (vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "%s: guest reads memory", what))
		tap_eq(vcpu_io_value(vcpu), want, "%s: the value", what);
}
