// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the tests of the VMM's door to guest RAM: the layout around the PCI hole, and that no
 * address and length gets through it that is not wholly RAM.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest_mem.h"
#include "layout.h"
#include "tap.h"

static struct guest_mem mem;

static int try(gpa_t gpa, u64 len)
{
	struct iovec iov = { NULL, 1 };
	int ret = guest_mem_iov(&mem, gpa, len, &iov);

	/* An error leaves the result alone. */
	return ret || iov.iov_len != len ? (iov.iov_base ? 1 : ret) : 0;
}

static void test_layout(void)
{
	tap_eq(guest_mem_create(&mem, 64 * MIB), 0, "64 MiB");
	tap_ok(mem.nr == 1 && mem.ram[0].gpa == 0 && mem.ram[0].size == 64 * MIB, "are one piece");
	guest_mem_destroy(&mem);
	tap_eq(guest_mem_create(&mem, 3 * GIB), 0, "3 GiB");
	tap_ok(mem.nr == 1 && mem.ram[0].size == 3 * GIB, "are one piece");
	guest_mem_destroy(&mem);
	tap_eq(guest_mem_create(&mem, 3 * GIB + 4096), 0, "3 GiB and a page");
	tap_ok(mem.nr == 2 && mem.ram[1].gpa == 4 * GIB && mem.ram[1].size == 4096, "are two");
	tap_ok(!((uintptr_t)mem.ram[0].hva % (2 * MIB)) && !((uintptr_t)mem.ram[1].hva % (2 * MIB)),
	       "aligned for huge pages");
	guest_mem_destroy(&mem);
	tap_eq(guest_mem_create(&mem, 0), -ENOMEM, "none is refused");
	tap_eq(guest_mem_create(&mem, UINT64_MAX), -ENOMEM, "so is all there is");
}

static void test_bounds(void)
{
	u8 buf[16] = { 1, 2, 3, 4 };
	u64 low = 3 * GIB, high_end = 4 * GIB + 8192;

	if (guest_mem_create(&mem, 3 * GIB + 8192))
		tap_bail("no memory");
	tap_eq(try(0, 1), 0, "the first byte");
	tap_eq(try(0, low), 0, "all of low RAM");
	tap_eq(try(0, low + 1), -EFAULT, "one byte more");
	tap_eq(try(low - 1, 1), 0, "its last byte");
	tap_eq(try(low - 1, 2), -EFAULT, "and the one behind");
	tap_eq(try(low, 1), -EFAULT, "the hole");
	tap_eq(try(4 * GIB - 1, 2), -EFAULT, "from the hole into high RAM");
	tap_eq(try(4 * GIB, 8192), 0, "all of high RAM");
	tap_eq(try(high_end - 1, 2), -EFAULT, "one byte more");
	tap_eq(try(0, high_end), -EFAULT, "from low to high RAM");
	tap_eq(try(0, 0), -EFAULT, "nothing at all");
	tap_eq(try(UINT64_MAX, 1), -EFAULT, "the end of the address space");
	tap_eq(try(16, UINT64_MAX), -EFAULT, "a length that wraps");
	tap_eq(try(UINT64_MAX - 1, 16), -EFAULT, "an address that wraps");
	tap_ok(!guest_mem_write(&mem, high_end - 16, buf, 16) &&
	       guest_mem_write(&mem, high_end - 15, buf, 16) == -EFAULT, "writes are bounded");
	memset(buf, 0, sizeof(buf));
	tap_ok(guest_mem_read(&mem, high_end - 15, buf, 16) == -EFAULT && !buf[0] &&
	       !guest_mem_read(&mem, high_end - 16, buf, 16) && buf[3] == 4, "so are reads");
	tap_ok(guest_mem_zero(&mem, high_end - 15, 16) == -EFAULT &&
	       !guest_mem_zero(&mem, high_end - 16, 16) &&
	       !guest_mem_read(&mem, high_end - 16, buf, 16) && !buf[3], "and clearing");
	guest_mem_destroy(&mem);
}

static bool is_empty(const char *dir)
{
	return !rmdir(dir) && !mkdir(dir, 0700);
}

/* Memory from a directory: an ordinary one here, huge pages in selftests/boot. */
static void test_directory(void)
{
	char dir[] = "/tmp/guest-mem-XXXXXX";
	u64 value = 0x1234, back = 0;

	if (!mkdtemp(dir))
		tap_bail("no directory");
	tap_eq(guest_mem_create_in(&mem, 5 * GIB, dir), 0, "5 GiB of a directory");
	tap_ok(mem.nr == 2 && mem.ram[0].size == RAM_LOW_MAX && mem.ram[1].gpa == RAM_HIGH_BASE &&
	       mem.ram[1].size == 2 * GIB, "have the same layout");
	tap_ok(is_empty(dir), "and no name there");
	tap_ok(!guest_mem_write(&mem, RAM_HIGH_BASE, &value, 8) &&
	       !guest_mem_read(&mem, RAM_HIGH_BASE, &back, 8) && back == value, "they hold data");
	tap_eq(guest_mem_read(&mem, RAM_HIGH_BASE + 2 * GIB - 4, &back, 8), -EFAULT,
	       "up to their end");
	guest_mem_destroy(&mem);
	tap_eq(guest_mem_create_in(&mem, 16 * MIB, dir), 0, "16 MiB");
	tap_eq(guest_mem_populate(&mem), 0, "can be had at once");
	guest_mem_destroy(&mem);
	tap_eq(guest_mem_create(&mem, 16 * MIB), 0, "and 16 MiB without a directory");
	tap_eq(guest_mem_populate(&mem), 0, "likewise");
	guest_mem_destroy(&mem);
	tap_eq(guest_mem_create_in(&mem, 0, dir), -EINVAL, "no memory is refused");
	tap_ok(guest_mem_create_in(&mem, INT64_MAX, dir) < 0 && !mem.map && is_empty(dir),
	       "so is more than there can be");
	rmdir(dir);
	tap_eq(guest_mem_create_in(&mem, 16 * MIB, dir), -ENOENT, "a directory that is not there");
}

int main(void)
{
	tap_plan(0);
	test_layout();
	test_bounds();
	test_directory();
	return tap_done();
}
