// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of SET_USER_MEMORY_REGION's arguments: what is refused, and
 * that what is refused changes nothing.
 */
#include <sys/mman.h>

#include "api.h"

#define K	0x1000ULL
#define M	0x100000ULL

static char *backing;	/* 1 MiB */

struct slot_case {
	uint32_t slot;
	uint64_t gpa, size;
	uint64_t hva_off;
	uint32_t flags;
	int err;
	const char *what;
};

static void run_cases(struct vm *vm, const struct slot_case *c, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++, c++)
		tap_errno(vm_set_region(vm, c->slot, c->gpa, c->size,
					backing + c->hva_off, c->flags),
			  c->err, "%s", c->what);
}

static void test_values(struct vm *vm)
{
	static const struct slot_case cases[] = {
		{ 1, 0x800, K, 0, 0, EINVAL, "GPA inside a page" },
		{ 1, 0, K + 1, 0, 0, EINVAL, "size that is no multiple of a page" },
		{ 1, 0, 0x800, 0, 0, EINVAL, "size below a page" },
		{ 1, 0, K, 0x10, 0, EINVAL, "hva inside a page" },
		{ 1, 0, K, 0, 4, EINVAL, "unknown flag 4" },
		{ 1, 0, K, 0, 1u << 31, EINVAL, "unknown flag 31" },
		{ 1, 0, K, 0, 1u << 16, EINVAL, "KVM's internal flag 16" },
		{ 0xffff, 0, K, 0, 0, EINVAL, "slot number 65535" },
		{ 2u << 16, 0, K, 0, 0, EINVAL, "address space 2" },
		{ 0xffffffff, 0, K, 0, 0, EINVAL, "slot number ~0" },
		{ 1, 0xfffffffffffff000, 2 * K, 0, 0, EINVAL,
		  "range that wraps around" },
		{ 1, 1ULL << 52, K, 0, 0, EINVAL, "GPA beyond any CPU's reach" },
		{ 1, 0, 1ULL << 63, 0, 0, EINVAL, "size of 2^63" },
		{ 1, 0, 1ULL << 43, 0, 0, EINVAL, "2^31 pages" },
		{ 1, 0, 0, 0, 0, EINVAL, "deleting a slot that is not there" },
	};
	uint32_t limit = dev_check_extension(vm->fd, MINIKVM_CAP_NR_MEMSLOTS);

	run_cases(vm, cases, ARRAY_SIZE(cases));
	test_efault(vm->fd, MINIKVM_SET_USER_MEMORY_REGION,
		    sizeof(struct minikvm_userspace_memory_region),
		    "SET_USER_MEMORY_REGION");
	tap_errno(vm_set_region(vm, 1, 0, K, (void *)0xffff800000000000, 0),
		  EINVAL, "hva of the kernel");
	tap_errno(vm_set_region(vm, limit - 1, 0, K, backing, 0), 0,
		  "the last slot, %u", limit - 1);
	tap_errno(vm_set_region(vm, limit - 1, 0, 0, backing, 0), 0,
		  "the last slot is deleted");
	tap_errno(vm_set_region(vm, limit, 0, K, backing, 0), EINVAL,
		  "the slot after the last");
	tap_errno(vm_set_region(vm, 1, 0, K, (void *)0x10000, 0), 0,
		  "hva that is not mapped is accepted");
	tap_errno(vm_set_region(vm, 1, 0, 0, 0, 0), 0, "and deleted");
}

static void test_changes(struct vm *vm)
{
	static const struct slot_case cases[] = {
		{ 1, 1 * M, 4 * K, 0, 0, 0, "create slot 1" },
		{ 1, 1 * M, 4 * K, 0, 0, 0, "the same again" },
		{ 1, 1 * M, 4 * K, K, 0, EINVAL, "another hva" },
		{ 1, 1 * M, 8 * K, 0, 0, EINVAL, "a larger size" },
		{ 1, 1 * M, 2 * K, 0, 0, EINVAL, "a smaller size" },
		{ 1, 1 * M, 4 * K, 0, MINIKVM_MEM_READONLY, EINVAL,
		  "read-only while it exists" },
		{ 1, 2 * M, 4 * K, 0, 0, 0, "move" },
		{ 1, 2 * M + 2 * K, 4 * K, 0, 0, 0, "move onto itself" },
		{ 2, 1 * M, 4 * K, 0, 0, 0, "slot 2 where slot 1 was" },
		{ 1, 1 * M, 4 * K, 0, 0, EEXIST, "move slot 1 back onto it" },
		{ 1, 1 * M + 3 * K, 4 * K, 0, 0, EEXIST, "move onto its end" },
		{ 1, 1 * M + 4 * K, 4 * K, 0, 0, 0, "move right behind it" },
		{ 2, 1 * M, 0, 0, 0, 0, "delete slot 2" },
		{ 2, 1 * M, 0, 0, 0, EINVAL, "delete slot 2 again" },
		{ 1, 0, 0, 0, 0, 0, "delete slot 1, whatever its address" },
		{ 3, 1 * M, 4 * K, 0, MINIKVM_MEM_READONLY, 0,
		  "create a read-only slot" },
		{ 3, 1 * M, 4 * K, 0, 0, EINVAL, "writable while it exists" },
		{ 3, 2 * M, 4 * K, 0, MINIKVM_MEM_READONLY, 0, "move it" },
		{ 3, 0, 0, 0, 0, 0, "delete it" },
	};

	run_cases(vm, cases, ARRAY_SIZE(cases));
}

static void test_overlap(struct vm *vm)
{
	static const struct slot_case cases[] = {
		{ 1, 1 * M, 16 * K, 0, 0, 0, "create slot 1" },
		{ 2, 1 * M, 16 * K, 0, 0, EEXIST, "exactly the same range" },
		{ 2, 1 * M - K, 2 * K, 0, 0, EEXIST, "over its first page" },
		{ 2, 1 * M + 15 * K, 2 * K, 0, 0, EEXIST, "over its last page" },
		{ 2, 1 * M + 4 * K, K, 0, 0, EEXIST, "inside it" },
		{ 2, 1 * M - K, 18 * K, 0, 0, EEXIST, "around it" },
		{ 2, 1 * M - K, K, 0, 0, 0, "right before it" },
		{ 3, 1 * M + 16 * K, K, 0, 0, 0, "right behind it" },
		{ 4, 2 * M, 16 * K, 0, 0, 0, "the same hva at another GPA" },
		{ 2, 2 * M, K, 0, 0, EEXIST, "move onto another slot" },
		{ 2, 0, 0, 0, 0, 0, "delete slot 2, still where it was" },
		{ 3, 0, 0, 0, 0, 0, "delete slot 3" },
		{ 1, 0, 0, 0, 0, 0, "delete slot 1" },
		{ 4, 0, 0, 0, 0, 0, "delete slot 4" },
	};

	run_cases(vm, cases, ARRAY_SIZE(cases));
}

static void test_all_slots(struct vm *vm)
{
	uint32_t limit = dev_check_extension(vm->fd, MINIKVM_CAP_NR_MEMSLOTS);
	uint32_t i, made;

	/* More than one part of the kernel's table, less than what takes minutes. */
	if (limit > 1000)
		limit = 1000;
	for (made = 0; made < limit; made++)
		if (vm_set_region(vm, made, (uint64_t)made * 2 * K, K, backing, 0))
			break;
	tap_eq(made, limit, "%u slots exist at once", limit);
	tap_errno(vm_set_region(vm, limit / 2, 0, K, backing, 0), EEXIST,
		  "moving one of them onto another");
	for (i = 0; i < made; i += 2)
		if (vm_set_region(vm, i, 0, 0, NULL, 0))
			break;
	tap_ok(i >= made, "every other one is deleted");
	tap_errno(vm_set_region(vm, 1, 0, K, backing, 0), 0,
		  "one of the rest moves to a place that is free again");
}

/* How many page-table pages the VM may take: a default that follows the memory. */
static void test_mmu_pages(void)
{
	struct vm *vm = vm_new(VM_BARE);

	if (!dev_check_extension(vm->fd, MINIKVM_CAP_MMU_SHADOW_CACHE_CONTROL)) {
		tap_skip("no capability MMU_SHADOW_CACHE_CONTROL");
		vm_free(vm);
		return;
	}
	tap_eq(ioctl(vm->fd, MINIKVM_GET_NR_MMU_PAGES, 0), 0, "a new VM: no page tables");
	vm_set_region(vm, 1, 0, M, backing, 0);
	tap_eq(ioctl(vm->fd, MINIKVM_GET_NR_MMU_PAGES, 0), 64, "a small slot: the least, 64");
	vm_set_region(vm, 2, 1ULL << 32, 1ULL << 30, backing, 0);
	tap_eq(ioctl(vm->fd, MINIKVM_GET_NR_MMU_PAGES, 0), (262144 + 256) / 50,
	       "a large slot: one for 50 pages");
	vm_set_region(vm, 2, 1ULL << 33, 1ULL << 30, backing, 0);
	tap_eq(ioctl(vm->fd, MINIKVM_GET_NR_MMU_PAGES, 0), (262144 + 256) / 50,
	       "moving it changes nothing");
	vm_set_region(vm, 2, 0, 0, NULL, 0);
	tap_eq(ioctl(vm->fd, MINIKVM_GET_NR_MMU_PAGES, 0), 64, "it is deleted");
	tap_errno(ioctl(vm->fd, MINIKVM_SET_NR_MMU_PAGES, 63), EINVAL, "SET_NR_MMU_PAGES 63");
	tap_errno(ioctl(vm->fd, MINIKVM_SET_NR_MMU_PAGES, 0), EINVAL, "SET_NR_MMU_PAGES 0");
	tap_errno(ioctl(vm->fd, MINIKVM_SET_NR_MMU_PAGES, 65), 0, "SET_NR_MMU_PAGES 65");
	vm_set_region(vm, 2, 1ULL << 32, 1ULL << 30, backing, 0);
	tap_eq(ioctl(vm->fd, MINIKVM_GET_NR_MMU_PAGES, 0), 65,
	       "what userspace set stays, whatever the slots");
	vm_free(vm);
}

int main(void)
{
	struct vm *vm = vm_new(VM_BARE);

	tap_plan(0);
	backing = mmap(NULL, M, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (backing == MAP_FAILED)
		tap_bail("mmap: %s", strerror(errno));
	test_values(vm);
	test_changes(vm);
	test_overlap(vm);
	test_all_slots(vm);
	test_mmu_pages();
	vm_free(vm);
	return tap_done();
}
