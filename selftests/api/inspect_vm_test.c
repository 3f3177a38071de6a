// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of reading what belongs to a live VM: the CPU's capabilities, the
 * second-dimension tables as ranges, memory slots, and interrupt chips.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "inspect.h"

#define MMIO_GPA	0xd0000000ULL
#define HOLE_GPA	0x40000000ULL	/* slot 5: two pages */
#define ROM_GPA		0x50000000ULL	/* slot 9: one page, read-only */
#define MAX_RANGES	512

/* Reads at RSI, says so, writes there, says so. */
static void touch(struct vcpu *vcpu, uint64_t gpa, bool store)
{
	access_start(vcpu, gpa, 0x11);
	if (vcpu_run(vcpu) || (store && vcpu_run(vcpu)))
		tap_bail("touching %#llx", (unsigned long long)gpa);
}

static void test_caps(struct vm *vm)
{
	struct minikvm_inspect_caps c;
	uint64_t basic = 0;
	unsigned int i;
	bool zero = true;

	tap_errno(ioctl(vm->fd, MINIKVM_INSPECT_CAPS, &c), 0, "INSPECT_CAPS");
	tap_eq(c.first, 0x480, "from IA32_VMX_BASIC on");
	/* All that a CPU with VMX, EPT and unrestricted guest has. */
	tap_eq(c.valid & 0x1fff, 0x1fff, "0x480 to 0x48c exist");
	basic = c.value[0];
	tap_ok((uint32_t)basic && !(basic & 0x80000000) && (basic >> 32 & 0x1fff) <= 4096,
	       "IA32_VMX_BASIC: a revision, and a region's size");
	for (i = 0; i < MINIKVM_INSPECT_NR_CAPS; i++)
		zero &= c.valid >> i & 1 || !c.value[i];
	tap_ok(zero, "what there is not is 0");
	tap_ok((c.value[2] & ~c.value[2] >> 32 & 0xffffffff) == 0,
	       "what must be set may be set (IA32_VMX_PROCBASED_CTLS)");
	tap_ok(c.phys_bits >= 36 && c.phys_bits <= 52 && c.virt_bits >= 48, "address widths");
	test_efault(vm->fd, MINIKVM_INSPECT_CAPS, sizeof(c), "INSPECT_CAPS");
}

static void test_slots(struct vm *vm)
{
	struct minikvm_inspect_slot s[8];
	struct minikvm_inspect_slots arg = { .nr = 2, .slots = PTR(s) };

	tap_errno(ioctl(vm->fd, MINIKVM_INSPECT_SLOTS, &arg), E2BIG, "room for two of three");
	tap_eq(arg.nr, 3, "it says how much there must be");
	tap_errno(ioctl(vm->fd, MINIKVM_INSPECT_SLOTS, &arg), 0, "INSPECT_SLOTS");
	tap_ok(arg.nr == 3 && s[0].slot == 0 && s[0].gpa == 0 && s[0].bytes == GUEST_MEM_SIZE &&
	       s[0].hva == PTR(vm->mem[0].hva) && s[0].flags == 0, "slot 0, as it was made");
	tap_ok(s[1].slot == 5 && s[1].gpa == HOLE_GPA && s[1].bytes == 0x2000 &&
	       s[1].flags == MINIKVM_MEM_LOG_DIRTY_PAGES, "slot 5, with its flag");
	tap_ok(s[2].slot == 9 && s[2].gpa == ROM_GPA && s[2].flags == MINIKVM_MEM_READONLY,
	       "slot 9, by ascending address");
	arg.nr = 0xffffffff;
	tap_errno(ioctl(vm->fd, MINIKVM_INSPECT_SLOTS, &arg), 0, "a huge number is only room");
	arg.slots = PTR(page_end(3 * sizeof(s[0]) - 1));
	tap_errno(ioctl(vm->fd, MINIKVM_INSPECT_SLOTS, &arg), EFAULT, "room that is not there");
	arg.flags = 1;
	tap_errno(ioctl(vm->fd, MINIKVM_INSPECT_SLOTS, &arg), EINVAL, "an unknown flag");
	test_efault(vm->fd, MINIKVM_INSPECT_SLOTS, sizeof(arg), "INSPECT_SLOTS");
}

/* ---- tables ----------------------------------------------------------------------- */

static int read_ept(struct vm *vm, uint64_t gpa, uint64_t end, struct minikvm_inspect_range *r,
		    uint32_t nr, struct minikvm_inspect_ept *arg)
{
	*arg = (struct minikvm_inspect_ept) {
		.gpa = gpa, .end = end, .nr = nr, .ranges = PTR(r),
	};
	return ioctl(vm->fd, MINIKVM_INSPECT_EPT, arg);
}

/* The range that holds @gpa, NULL if it is not mapped. */
static const struct minikvm_inspect_range *find(const struct minikvm_inspect_range *r,
						uint32_t nr, uint64_t gpa)
{
	uint32_t i;

	for (i = 0; i < nr; i++)
		if (gpa >= r[i].gpa && gpa - r[i].gpa < r[i].bytes)
			return &r[i];
	return NULL;
}

static void test_whole(const struct minikvm_inspect_range *r,
		       const struct minikvm_inspect_ept *arg)
{
	bool order = true, slots = true, level = true;
	uint32_t i;

	for (i = 0; i < arg->nr; i++) {
		uint64_t page = 4096ULL << 9 * (r[i].level - 1);
		bool mmio = r[i].flags & MINIKVM_INSPECT_EPT_MMIO;

		order &= !i || r[i].gpa >= r[i - 1].gpa + r[i - 1].bytes;
		level &= r[i].level >= 1 && r[i].level <= 3 && r[i].bytes &&
			 !(r[i].bytes % page) && !(r[i].gpa % page) && (mmio || !(r[i].hpa % page));
		if (r[i].slot == 0)
			slots &= r[i].gpa + r[i].bytes <= GUEST_MEM_SIZE;
		else if (r[i].slot == 5)
			slots &= r[i].gpa >= HOLE_GPA && r[i].gpa + r[i].bytes <= HOLE_GPA + 0x2000;
		else
			slots &= mmio || r[i].slot == 9;
	}
	tap_ok(arg->nr > 2 && order, "%u ranges, ascending and disjoint", arg->nr);
	tap_ok(level, "each made of whole pages of its level");
	tap_ok(slots, "each within its slot");
	tap_eq(arg->gpa, arg->end, "nothing is left");
	tap_eq(arg->end, 1ULL << 48, "... of 256 TiB");
	tap_ok(arg->root && arg->table_pages >= 4 && arg->max_level >= 1 && arg->max_level <= 3,
	       "root, number of tables, largest page");
}

static void test_flags(const struct minikvm_inspect_range *r,
		       const struct minikvm_inspect_ept *arg)
{
	const uint32_t rw = MINIKVM_INSPECT_EPT_READ | MINIKVM_INSPECT_EPT_WRITE;
	const uint32_t ad = MINIKVM_INSPECT_EPT_ACCESSED | MINIKVM_INSPECT_EPT_DIRTY;
	const uint32_t exec = MINIKVM_INSPECT_EPT_EXEC;
	const struct minikvm_inspect_range *page;

	page = find(r, arg->nr, GUEST_CODE);
	tap_ok(page && page->slot == 0 && page->memtype == 6 && page->flags & exec &&
	       page->flags & MINIKVM_INSPECT_EPT_IGNORE_PAT, "the guest's code, write-back");
	if (arg->has_ad)
		tap_ok(page && page->flags & MINIKVM_INSPECT_EPT_ACCESSED, "... and accessed");
	else
		tap_ok(page && !(page->flags & ad),
		       "this CPU has no accessed bit: it is clear");
	page = find(r, arg->nr, GUEST_DATA);
	tap_ok(page && (page->flags & rw) == rw && page->flags & MINIKVM_INSPECT_EPT_HOST_WRITE,
	       "data that was written is writable");
	tap_ok(page && !arg->has_ad == !(page->flags & MINIKVM_INSPECT_EPT_DIRTY),
	       "... and dirty, if the CPU says so");
	page = find(r, arg->nr, HOLE_GPA + 0x1000);
	tap_ok(page && page->level == 1 && page->bytes == 0x1000 && page->slot == 5,
	       "the touched page of slot 5 is small");
	tap_ok(!find(r, arg->nr, HOLE_GPA), "the other one is not mapped");
	page = find(r, arg->nr, ROM_GPA);
	tap_ok(page && (page->flags & rw) == MINIKVM_INSPECT_EPT_READ && page->slot == 9 &&
	       !(page->flags & MINIKVM_INSPECT_EPT_HOST_WRITE), "ROM may only be read");
	page = find(r, arg->nr, MMIO_GPA);
	tap_ok(page && page->flags == MINIKVM_INSPECT_EPT_MMIO && !page->hpa &&
	       page->slot == MINIKVM_INSPECT_NO_SLOT, "MMIO is marked");
}

/* The same as @whole, taken @nr at a time. */
static void test_cursor(struct vm *vm, const struct minikvm_inspect_range *whole, uint32_t count,
			uint32_t nr)
{
	static struct minikvm_inspect_range piece[MAX_RANGES];
	struct minikvm_inspect_ept arg = { 0 };
	uint32_t got = 0, calls = 0;
	bool same = true;

	do {
		if (read_ept(vm, arg.gpa, 0, piece, nr, &arg))
			tap_bail("INSPECT_EPT: %m");
		same &= got + arg.nr <= count &&
			!memcmp(&whole[got], piece, arg.nr * sizeof(piece[0]));
		got += arg.nr;
	} while (same && arg.gpa < arg.end && ++calls < 2 * count);
	tap_ok(same && got == count, "%u at a time make the same", nr);
}

static void test_bounds(struct vm *vm, const struct minikvm_inspect_range *whole, uint32_t count)
{
	const struct minikvm_inspect_range *code = find(whole, count, GUEST_CODE);
	static struct minikvm_inspect_range r[MAX_RANGES];
	struct minikvm_inspect_ept arg;

	tap_errno(read_ept(vm, GUEST_CODE, GUEST_CODE + 1, r, 8, &arg), 0, "one byte");
	tap_ok(arg.nr == 1 && code && r[0].gpa <= GUEST_CODE &&
	       r[0].gpa + r[0].bytes > GUEST_CODE && r[0].level == code->level,
	       "... is shown by the page it is in");
	tap_eq(arg.end, GUEST_CODE + 4096, "... to whose end it went");
	tap_errno(read_ept(vm, HOLE_GPA, HOLE_GPA + 0x1000, r, 8, &arg), 0, "a hole");
	tap_ok(!arg.nr && arg.gpa == arg.end, "... is none");
	tap_errno(read_ept(vm, ~0ULL, ~0ULL, r, 8, &arg), EINVAL, "from behind the end");
	tap_errno(read_ept(vm, 0x2000, 0x1000, r, 8, &arg), EINVAL, "backwards");
	tap_errno(read_ept(vm, 1ULL << 48, 0, r, 8, &arg), 0, "at the end");
	tap_eq(arg.nr, 0, "... there is nothing");
	tap_errno(read_ept(vm, 0, ~0ULL, r, MAX_RANGES, &arg), 0, "to an end that is too far");
	tap_ok(arg.nr == count && arg.end == 1ULL << 48, "... all there is");
	tap_errno(read_ept(vm, 0, 0, r, 0, &arg), EINVAL, "no room at all");
	tap_errno(read_ept(vm, 0, 0, page_end(sizeof(r[0]) * count - 1), count, &arg), EFAULT,
		  "room that is not there");
	tap_errno(read_ept(vm, 0, 0, page_end(sizeof(r[0]) * count), 0xffffffff, &arg), 0,
		  "a huge number is only room");
	arg.flags = 1;
	tap_errno(ioctl(vm->fd, MINIKVM_INSPECT_EPT, &arg), EINVAL, "an unknown flag");
	test_efault(vm->fd, MINIKVM_INSPECT_EPT, sizeof(arg), "INSPECT_EPT");
}

static void test_ept(struct vm *vm, struct vcpu *vcpu)
{
	static struct minikvm_inspect_range r[MAX_RANGES];
	struct minikvm_inspect_ept arg;

	tap_errno(read_ept(vm, 0, 0, r, MAX_RANGES, &arg), 0, "before anything is mapped");
	tap_eq(arg.nr, 0, "... there is nothing");
	/* Large pages are the host's choice; a page of another kind between makes two ranges. */
	vm_load(vm, access_guest);
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	touch(vcpu, GUEST_DATA, true);
	touch(vcpu, HOLE_GPA + 0x1000, true);
	touch(vcpu, ROM_GPA, false);
	access_start(vcpu, MMIO_GPA, 0);
	if (vcpu_run(vcpu) || vcpu->run->exit_reason != MINIKVM_EXIT_MMIO)
		tap_bail("no MMIO");
	tap_errno(read_ept(vm, 0, 0, r, MAX_RANGES, &arg), 0, "INSPECT_EPT");
	test_whole(r, &arg);
	test_flags(r, &arg);
	test_cursor(vm, r, arg.nr, 1);
	test_cursor(vm, r, arg.nr, 3);
	test_bounds(vm, r, arg.nr);
}

/* Mappings come and go while they are read. */
static void test_churn(struct vm *vm, struct vcpu *vcpu)
{
	static struct minikvm_inspect_range r[MAX_RANGES];
	struct minikvm_inspect_ept arg;
	unsigned int i, bad = 0;
	struct runner run;

	vm_load(vm, access_guest);
	access_start(vcpu, GUEST_DATA, 0);
	runner_start(&run, vcpu, false);
	for (i = 0; i < 60; i++) {
		bad += read_ept(vm, 0, 0, r, 1 + i % 7, &arg) != 0;
		if (i % 4 == 0)
			madvise(vm->mem[0].hva, GUEST_MEM_SIZE,
				i % 8 ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
		if (i % 4 == 2)
			mprotect(vm->mem[0].hva + 0x200000, 0x100000, PROT_READ | PROT_WRITE);
		if (i % 3 == 0)
			vm_set_region(vm, 5, HOLE_GPA + 0x1000 * (i % 2), 0, NULL, 0);
		if (i % 3 == 1)
			vm_set_region(vm, 5, HOLE_GPA, 0x2000, vm->mem[5].hva, 0);
	}
	tap_eq(bad, 0, "while slots and mappings change");
	runner_stop(&run);
}

/* ---- interrupt chips ------------------------------------------------------------------ */

static void test_chips(struct vm *vm)
{
	struct minikvm_irqchip got, want;
	struct minikvm_pit_state2 pit, pit_want;
	struct vm *bare = vm_new(0);
	uint32_t id;

	for (id = 0; id < 3; id++) {
		memset(&got, 0, sizeof(got));
		memset(&want, 0, sizeof(want));
		got.chip_id = id;
		want.chip_id = id;
		tap_errno(ioctl(vm->fd, MINIKVM_INSPECT_IRQCHIP, &got), 0, "chip %u", id);
		ioctl(vm->fd, MINIKVM_GET_IRQCHIP, &want);
		tap_ok(!memcmp(&got, &want, sizeof(got)), "... as GET_IRQCHIP says");
	}
	got.chip_id = 3;
	tap_errno(ioctl(vm->fd, MINIKVM_INSPECT_IRQCHIP, &got), EINVAL, "an unknown chip");
	got.chip_id = 0;
	tap_errno(ioctl(bare->fd, MINIKVM_INSPECT_IRQCHIP, &got), ENXIO, "a VM without chips");
	test_efault(vm->fd, MINIKVM_INSPECT_IRQCHIP, sizeof(got), "INSPECT_IRQCHIP");

	tap_errno(ioctl(vm->fd, MINIKVM_INSPECT_PIT, &pit), 0, "INSPECT_PIT");
	ioctl(vm->fd, MINIKVM_GET_PIT2, &pit_want);
	tap_ok(pit.flags == pit_want.flags && pit.channels[0].mode == pit_want.channels[0].mode &&
	       pit.channels[0].count == pit_want.channels[0].count, "... as GET_PIT2 says");
	tap_errno(ioctl(bare->fd, MINIKVM_INSPECT_PIT, &pit), ENXIO, "a VM without a PIT");
	test_efault(vm->fd, MINIKVM_INSPECT_PIT, sizeof(pit), "INSPECT_PIT");
	vm_free(bare);
}

int main(void)
{
	struct vcpu *vcpu;
	struct vm *vm;

	if (strcmp(dev_path(), "/dev/minikvm"))
		tap_skip_all("KVM has no such interface, and DEV is %s", dev_path());
	if (geteuid())
		tap_skip_all("only root may read");
	vm = vm_new(VM_PIT);
	vcpu = vm_add_vcpu(vm, 0);
	vm_add_mem(vm, 9, ROM_GPA, 0x1000, MINIKVM_MEM_READONLY);
	vm_add_mem(vm, 5, HOLE_GPA, 0x2000, MINIKVM_MEM_LOG_DIRTY_PAGES);
	tap_plan(0);
	test_caps(vm);
	test_slots(vm);
	test_ept(vm, vcpu);
	test_churn(vm, vcpu);
	test_chips(vm);
	vm_free(vm);
	return tap_done();
}
