// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of GET_DIRTY_LOG and of the slot flag that turns the log on:
 * a page is reported once for each time it was written since the last report.
 */
#include <sys/mman.h>

#include "api.h"

#define GPA	0x800000ULL
#define PAGES	100ULL		/* two words of the bitmap, the second partial */
#define SIZE	(PAGES * 4096)

/* RSI: first address, RCX: pages, RBX: distance. Stores one byte in each. */
GUEST_ASM(write_guest, 64,
	"1:	incb	(%rsi)\n"
	"	addq	%rbx, %rsi\n"
	"	loop	1b\n"
	"	outb	%al, $0xe0\n");

static char *backing;

static int get_log(struct vm *vm, uint32_t slot, void *bitmap)
{
	struct minikvm_dirty_log log = {
		.slot = slot, .dirty_bitmap = (uintptr_t)bitmap,
	};

	return ioctl(vm->fd, MINIKVM_GET_DIRTY_LOG, &log);
}

static void write_pages(struct vcpu *vcpu, unsigned int first,
			unsigned int pages, unsigned int step)
{
	struct minikvm_regs regs = {
		.rip = GUEST_CODE, .rflags = 2, .rsi = GPA + first * 4096ULL,
		.rcx = pages, .rbx = step * 4096ULL,
	};

	vcpu->run->immediate_exit = 1;
	vcpu_run(vcpu);
	vcpu->run->immediate_exit = 0;
	if (ioctl(vcpu->fd, MINIKVM_SET_REGS, &regs))
		tap_bail("SET_REGS: %s", strerror(errno));
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "guest writes %u pages from %u",
			 pages, first);
}

static void expect_log(struct vm *vm, uint64_t low, uint64_t high,
		       const char *what)
{
	uint64_t bitmap[3] = { ~0ULL, ~0ULL, 0x1234 };

	tap_errno(get_log(vm, 1, bitmap), 0, "%s: GET_DIRTY_LOG", what);
	if (!tap_ok(bitmap[0] == low && bitmap[1] == high, "%s: the bits", what))
		tap_diag("got %#llx %#llx, want %#llx %#llx",
			 (unsigned long long)bitmap[0],
			 (unsigned long long)bitmap[1],
			 (unsigned long long)low, (unsigned long long)high);
	tap_eq(bitmap[2], 0x1234, "%s: nothing behind the bitmap changed", what);
}

static void test_arguments(struct vm *vm)
{
	uint64_t bitmap[2];

	tap_errno(get_log(vm, 1, bitmap), ENOENT, "a slot that is not there");
	tap_errno(vm_set_region(vm, 1, GPA, SIZE, backing, 0), 0,
		  "a slot without the flag");
	tap_errno(get_log(vm, 1, bitmap), ENOENT, "its log");
	tap_errno(get_log(vm, 0xffff, bitmap), EINVAL, "slot number 65535");
	tap_errno(get_log(vm, 2u << 16, bitmap), EINVAL, "address space 2");
	test_efault(vm->fd, MINIKVM_GET_DIRTY_LOG,
		    sizeof(struct minikvm_dirty_log), "GET_DIRTY_LOG");
	tap_errno(vm_set_region(vm, 1, GPA, SIZE, backing,
				MINIKVM_MEM_LOG_DIRTY_PAGES), 0,
		  "the flag set while the slot exists");
	tap_errno(get_log(vm, 1, BAD_PTR), EFAULT, "a bad bitmap");
}

static void test_log(struct vm *vm, struct vcpu *vcpu)
{
	/* The kernel may count every page once when the log is switched on. */
	uint64_t bitmap[2];

	get_log(vm, 1, bitmap);
	expect_log(vm, 0, 0, "nothing written");
	write_pages(vcpu, 0, 1, 1);
	expect_log(vm, 1, 0, "the first page");
	expect_log(vm, 0, 0, "reported once");
	write_pages(vcpu, 0, 1, 1);
	expect_log(vm, 1, 0, "the first page again");
	write_pages(vcpu, 3, 33, 3);
	expect_log(vm, 0x9249249249249248, 0x924924924, "every third page");
	write_pages(vcpu, 0, PAGES, 1);
	expect_log(vm, ~0ULL, 0xfffffffff, "every page");

	tap_errno(vm_set_region(vm, 1, GPA, SIZE, backing, 0), 0,
		  "the flag cleared");
	tap_errno(get_log(vm, 1, bitmap), ENOENT, "no log any more");
	write_pages(vcpu, 0, PAGES, 1);
	tap_errno(vm_set_region(vm, 1, GPA, SIZE, backing,
				MINIKVM_MEM_LOG_DIRTY_PAGES), 0,
		  "the flag set again");
	get_log(vm, 1, bitmap);
	write_pages(vcpu, 64, 1, 1);
	expect_log(vm, 0, 1, "page 64, after the log was off");
	tap_eq((unsigned char)backing[64 * 4096], 3, "the stores were made");
}

int main(void)
{
	struct vm *vm = vm_new(0);
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);

	tap_plan(0);
	backing = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (backing == MAP_FAILED)
		tap_bail("mmap: %s", strerror(errno));
	vm_load(vm, write_guest);
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	test_arguments(vm);
	test_log(vm, vcpu);
	vm_free(vm);
	return tap_done();
}
