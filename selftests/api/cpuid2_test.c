// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of SET_CPUID2 and GET_CPUID2: lengths, what a guest then sees,
 * and that the table is frozen once the vCPU has run.
 */
#include "api.h"

GUEST_ASM(cpuid_guest, 64,
	"1:	cpuid\n"
	"	outb	%al, $0xe0\n"
	"	jmp	1b\n");

static struct minikvm_cpuid2 *room(uint32_t n)
{
	struct minikvm_cpuid2 *cpuid;

	cpuid = calloc(1, sizeof(*cpuid) + n * sizeof(cpuid->entries[0]));
	if (!cpuid)
		tap_bail("out of memory");
	cpuid->nent = n;
	return cpuid;
}

static void test_lengths(struct vm *vm)
{
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);
	struct minikvm_cpuid2 *set = cpuid_supported(vm->dev_fd);
	struct minikvm_cpuid2 *big = room(257), *get = room(256), *head;
	uint32_t n = set->nent;

	head = page_end(sizeof(*head));
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_CPUID2, big), E2BIG,
		  "SET_CPUID2 of 257 entries");
	big->nent = 0xffffffff;
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_CPUID2, big), E2BIG,
		  "SET_CPUID2 of 2^32-1 entries");
	big->nent = 0;
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_CPUID2, big), 0,
		  "SET_CPUID2 of no entry");
	tap_errno(ioctl(vcpu->fd, MINIKVM_GET_CPUID2, get), 0,
		  "GET_CPUID2 of the empty table");
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_CPUID2, set), 0,
		  "SET_CPUID2 of what is supported");
	test_efault(vcpu->fd, MINIKVM_SET_CPUID2, sizeof(*set), "SET_CPUID2");
	test_efault(vcpu->fd, MINIKVM_GET_CPUID2, sizeof(*set), "GET_CPUID2");
	head->nent = n;
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_CPUID2, head), EFAULT,
		  "SET_CPUID2, no memory behind the header");
	head->nent = 256;
	tap_errno(ioctl(vcpu->fd, MINIKVM_GET_CPUID2, head), EFAULT,
		  "GET_CPUID2, no memory behind the header");
	get->nent = n - 1;
	tap_errno(ioctl(vcpu->fd, MINIKVM_GET_CPUID2, get), E2BIG,
		  "GET_CPUID2 with too little room");
	get->nent = n;
	tap_errno(ioctl(vcpu->fd, MINIKVM_GET_CPUID2, get), 0,
		  "GET_CPUID2 with just enough room");
	free(set);
	free(big);
	free(get);
}

/* Leaves whose contents follow the vCPU's state, so that GET may differ. */
static bool is_dynamic(uint32_t function)
{
	return function == 1 || function == 7 || function == 0xd ||
	       function == 0x40000001;
}

static void test_roundtrip(struct vm *vm)
{
	struct vcpu *vcpu = vm_add_vcpu(vm, 1);
	struct minikvm_cpuid2 *set = cpuid_supported(vm->dev_fd);
	struct minikvm_cpuid2 *get = room(256);
	struct minikvm_cpuid_entry2 *e, *g;
	unsigned int order = 0, values = 0;

	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_CPUID2, set), 0, "SET_CPUID2");
	tap_errno(ioctl(vcpu->fd, MINIKVM_GET_CPUID2, get), 0, "GET_CPUID2");
	for (e = set->entries, g = get->entries;
	     e < set->entries + set->nent; e++, g++) {
		order += e->function != g->function || e->index != g->index ||
			 e->flags != g->flags;
		if (is_dynamic(e->function))
			continue;
		values += e->eax != g->eax || e->ebx != g->ebx ||
			  e->ecx != g->ecx || e->edx != g->edx;
	}
	tap_eq(order, 0, "GET_CPUID2 returns the entries in the order set");
	tap_eq(values, 0, "GET_CPUID2 returns the values set");
	e = cpuid_find(set, 0x80000008, 0);
	if (e) {
		e->eax = (e->eax & ~0xff00u) | 40 << 8;
		tap_errno(ioctl(vcpu->fd, MINIKVM_SET_CPUID2, set), EINVAL,
			  "SET_CPUID2 with 40 linear address bits");
	}
	free(set);
	free(get);
}

static void run_cpuid(struct vcpu *vcpu, uint64_t rax, uint64_t rcx,
		      struct minikvm_regs *regs)
{
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	if (ioctl(vcpu->fd, MINIKVM_GET_REGS, regs))
		tap_bail("GET_REGS: %s", strerror(errno));
	regs->rax = rax;
	regs->rcx = rcx;
	if (ioctl(vcpu->fd, MINIKVM_SET_REGS, regs))
		tap_bail("SET_REGS: %s", strerror(errno));
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "guest executes CPUID %#llx.%#llx",
			 (unsigned long long)rax, (unsigned long long)rcx);
	if (ioctl(vcpu->fd, MINIKVM_GET_REGS, regs))
		tap_bail("GET_REGS: %s", strerror(errno));
}

static void test_guest_view(struct vm *vm)
{
	struct vcpu *vcpu = vm_add_vcpu(vm, 2);
	struct minikvm_cpuid2 *set = cpuid_supported(vm->dev_fd);
	struct minikvm_cpuid2 *own = room(set->nent + 2);
	struct minikvm_cpuid_entry2 *e = own->entries + set->nent;
	struct minikvm_regs regs;

	memcpy(own->entries, set->entries, set->nent * sizeof(set->entries[0]));
	e[0] = (struct minikvm_cpuid_entry2){
		.function = 0x40000100, .eax = 0x11111111, .ebx = 0x22222222,
		.ecx = 0x33333333, .edx = 0x84444444,
	};
	e[1] = (struct minikvm_cpuid_entry2){
		.function = 0x40000101, .index = 5, .eax = 0x55555555,
		.flags = MINIKVM_CPUID_FLAG_SIGNIFCANT_INDEX,
	};
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_CPUID2, own), 0,
		  "SET_CPUID2 with leaves of our own");
	run_cpuid(vcpu, 0xffffffff40000100, 0xffffffff00000007, &regs);
	tap_eq(regs.rax, 0x11111111, "guest sees EAX, upper half cleared");
	tap_eq(regs.rbx, 0x22222222, "guest sees EBX");
	tap_eq(regs.rcx, 0x33333333, "guest sees ECX, whatever the index");
	tap_eq(regs.rdx, 0x84444444, "guest sees EDX, not sign-extended");
	run_cpuid(vcpu, 0x40000101, 5, &regs);
	tap_eq(regs.rax, 0x55555555, "guest sees the sub-leaf it asks for");
	run_cpuid(vcpu, 0x40000101, 6, &regs);
	tap_eq(regs.rax, 0, "a sub-leaf that is not in the table reads zero");

	own->entries[0].ebx ^= 1;
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_CPUID2, own), EINVAL,
		  "SET_CPUID2 of another table after RUN");
	own->entries[0].ebx ^= 1;
	own->nent--;
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_CPUID2, own), EINVAL,
		  "SET_CPUID2 of a shorter table after RUN");
	own->nent++;
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_CPUID2, own), 0,
		  "SET_CPUID2 of the same table after RUN");
	free(set);
	free(own);
}

int main(void)
{
	struct vm *vm = vm_new(0);

	tap_plan(0);
	vm_load(vm, cpuid_guest);
	test_lengths(vm);
	test_roundtrip(vm);
	test_guest_view(vm);
	vm_free(vm);
	return tap_done();
}
