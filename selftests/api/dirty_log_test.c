// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of GET_DIRTY_LOG, CLEAR_DIRTY_LOG and of the slot flag that turns
 * the log on: a page is reported once for each time it was written since it was
 * last cleared, by reading the log or, if that is how the VM wants it, by hand.
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

static int clear_log(struct vm *vm, uint32_t slot, uint64_t first, uint32_t pages,
		     const void *bitmap)
{
	struct minikvm_clear_dirty_log log = {
		.slot = slot, .first_page = first, .num_pages = pages,
		.dirty_bitmap = (uintptr_t)bitmap,
	};

	return ioctl(vm->fd, MINIKVM_CLEAR_DIRTY_LOG, &log);
}

static int set_manual(struct vm *vm, uint64_t options, uint32_t flags)
{
	struct minikvm_enable_cap cap = {
		.cap = MINIKVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .flags = flags,
		.args = { options },
	};

	return ioctl(vm->fd, MINIKVM_ENABLE_CAP, &cap);
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

static void test_clear_arguments(struct vm *vm)
{
	static const uint64_t zero[2];

	tap_errno(clear_log(vm, 1, 0, PAGES, zero), 0, "CLEAR: the whole slot");
	tap_errno(clear_log(vm, 1, 0, 64, zero), 0, "CLEAR: one word");
	tap_errno(clear_log(vm, 1, 64, PAGES - 64, zero), 0, "CLEAR: the rest of the slot");
	tap_errno(clear_log(vm, 1, 0, 0, zero), 0, "CLEAR: nothing");
	tap_errno(clear_log(vm, 1, 64, 0, zero), 0, "CLEAR: nothing further on");
	tap_errno(clear_log(vm, 1, 1, 64, zero), EINVAL, "CLEAR: first page 1");
	tap_errno(clear_log(vm, 1, 0, 63, zero), EINVAL, "CLEAR: 63 pages");
	tap_errno(clear_log(vm, 1, 64, 35, zero), EINVAL, "CLEAR: all but the last page");
	tap_errno(clear_log(vm, 1, 64, 37, zero), EINVAL, "CLEAR: one page too many");
	tap_errno(clear_log(vm, 1, 128, 0, zero), EINVAL, "CLEAR: behind the slot");
	tap_errno(clear_log(vm, 1, ~63ULL, 128, zero), EINVAL, "CLEAR: wrapping around");
	tap_errno(clear_log(vm, 1, 0, ~0U, zero), EINVAL, "CLEAR: 2^32 - 1 pages");
	tap_errno(clear_log(vm, 3, 0, 64, zero), ENOENT, "CLEAR: a slot that is not there");
	tap_errno(clear_log(vm, 3, 1, 64, zero), EINVAL, "CLEAR: and first page 1");
	tap_errno(clear_log(vm, 0, 0, 64, zero), ENOENT, "CLEAR: a slot that does not log");
	tap_errno(clear_log(vm, 0xffff, 0, 64, zero), EINVAL, "CLEAR: slot number 65535");
	tap_errno(clear_log(vm, 2u << 16, 0, 64, zero), EINVAL, "CLEAR: address space 2");
	tap_errno(clear_log(vm, 1, 0, 64, BAD_PTR), EFAULT, "CLEAR: a bad bitmap");
	test_efault(vm->fd, MINIKVM_CLEAR_DIRTY_LOG,
		    sizeof(struct minikvm_clear_dirty_log), "CLEAR_DIRTY_LOG");

	tap_errno(set_manual(vm, 0, 1), EINVAL, "MANUAL_DIRTY_LOG_PROTECT2: a flag");
	tap_errno(set_manual(vm, 4, 0), EINVAL, "MANUAL_DIRTY_LOG_PROTECT2: option 4");
	tap_errno(set_manual(vm, MINIKVM_DIRTY_LOG_INITIALLY_SET, 0), EINVAL,
		  "MANUAL_DIRTY_LOG_PROTECT2: INITIALLY_SET alone");
	tap_errno(set_manual(vm, 1ULL << 32 | 1, 0), EINVAL,
		  "MANUAL_DIRTY_LOG_PROTECT2: option 2^32");
}

/* Reading leaves the log alone; what is cleared is what is asked for. */
static void test_manual(struct vm *vm, struct vcpu *vcpu)
{
	uint64_t bitmap[2];

	if (dev_check_extension(vm->fd, MINIKVM_CAP_MANUAL_DIRTY_LOG_PROTECT2) != 3) {
		tap_skip("no capability MANUAL_DIRTY_LOG_PROTECT2");
		return;
	}
	test_clear_arguments(vm);

	get_log(vm, 1, bitmap);
	bitmap[0] = 0x30;
	bitmap[1] = 0;
	write_pages(vcpu, 0, 8, 1);
	tap_errno(clear_log(vm, 1, 0, 64, bitmap), 0, "CLEAR works in any mode");
	expect_log(vm, 0xcf, 0, "two of eight cleared");

	tap_errno(set_manual(vm, MINIKVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE, 0), 0, "manual mode");
	memset(bitmap, 0xff, sizeof(bitmap));
	clear_log(vm, 1, 0, PAGES, bitmap);
	write_pages(vcpu, 0, 4, 33);
	expect_log(vm, 0x200000001, 0x800000004, "manual: four pages");
	expect_log(vm, 0x200000001, 0x800000004, "manual: reading does not clear");
	bitmap[0] = 1;
	tap_errno(clear_log(vm, 1, 0, 64, bitmap), 0, "manual: clear the first");
	expect_log(vm, 0x200000000, 0x800000004, "manual: it is cleared");
	write_pages(vcpu, 0, 1, 1);
	expect_log(vm, 0x200000001, 0x800000004, "manual: and logged again");
	bitmap[0] = ~0ULL;
	tap_errno(clear_log(vm, 1, 64, PAGES - 64, bitmap), 0,
		  "manual: clear the rest, and bits of no page");
	expect_log(vm, 0x200000001, 0, "manual: the rest is cleared");
	bitmap[1] = ~0ULL;
	tap_errno(clear_log(vm, 1, 0, PAGES, bitmap), 0, "manual: clear all");
	expect_log(vm, 0, 0, "manual: all is cleared");
	write_pages(vcpu, 99, 1, 1);
	expect_log(vm, 0, 1ULL << 35, "manual: the last page");
}

/* A log that begins with every page in it tracks only what was cleared. */
static void test_initially_set(struct vm *vm, struct vcpu *vcpu)
{
	uint64_t bitmap[2] = { 0xf0 };

	if (set_manual(vm, MINIKVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE |
			   MINIKVM_DIRTY_LOG_INITIALLY_SET, 0)) {
		tap_skip("no initially-set mode");
		return;
	}
	expect_log(vm, 0, 1ULL << 35, "initially set: a log that exists stays as it is");
	vm_set_region(vm, 1, GPA, SIZE, backing, 0);
	write_pages(vcpu, 0, PAGES, 1);
	tap_errno(vm_set_region(vm, 1, GPA, SIZE, backing, MINIKVM_MEM_LOG_DIRTY_PAGES), 0,
		  "initially set: logging begins");
	expect_log(vm, ~0ULL, 0xfffffffff, "initially set: every page");
	write_pages(vcpu, 0, PAGES, 1);
	tap_errno(clear_log(vm, 1, 0, 64, bitmap), 0, "initially set: four pages cleared");
	expect_log(vm, ~0xf0ULL, 0xfffffffff, "initially set: they are");
	write_pages(vcpu, 5, 2, 1);
	expect_log(vm, ~0x90ULL, 0xfffffffff, "initially set: two of them written");
	tap_errno(set_manual(vm, 0, 0), 0, "back to clearing by reading");
	expect_log(vm, ~0x90ULL, 0xfffffffff, "clearing by reading: the same");
	expect_log(vm, 0, 0, "clearing by reading: nothing is left");
	write_pages(vcpu, 64, 1, 1);
	expect_log(vm, 0, 1, "clearing by reading: every page is tracked");
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
	test_manual(vm, vcpu);
	test_initially_set(vm, vcpu);
	vm_free(vm);
	return tap_done();
}
