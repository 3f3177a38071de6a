// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of the kernel loaders: the input is the file given with -kernel.
 */
#include <string.h>

#include "boot/linux.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct guest_mem mem;
	struct boot_source boot;
	struct config cfg = {
		.append = "console=ttyS0", .mem_size = 32 * MIB, .nr_vcpus = 2,
		.nr_cores = 2, .nr_threads = 1,
	};

	if (!mem.nr && guest_mem_create(&mem, cfg.mem_size))
		fuzz_fail("no memory");
	cfg.kernel = (char *)fuzz_file("kernel", data, size);
	if (!boot_open(&boot, &cfg))
		boot_load(&boot, &mem);
	boot_close(&boot);
	return 0;
}
