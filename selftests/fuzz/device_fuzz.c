// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of the machine's fixed devices: serial ports, clock, keyboard controller, power
 * management, PCI host and configuration space. The input is a sequence of a guest's accesses.
 */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static const u16 ports[] = {
	0x3f8, 0x2f8, 0x70, 0x60, 0x64, 0x600, 0x604, 0x608, 0x60c, 0xcf8, 0xcfc, 0x80, 0x92, 0x61,
};

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static const char *const options[] = { "-serial", "null", "-serial", "null", NULL };
	static struct machine *m;
	struct fuzz_in in = { data, size };

	if (!m)
		m = fuzz_machine(options);
	while (in.left) {
		u8 op = fuzz_u8(&in), which = fuzz_u8(&in);
		unsigned int len = 1u << (op >> 1 & 3);
		u64 port = op & 0x80 ? fuzz_u16(&in) : ports[which % ARRAY_SIZE(ports)] +
						       (which >> 4 & 7);

		if (op & 8 && op & 0x40) {
			cfg_write(m, which & 31, fuzz_u8(&in), len == 8 ? 4 : len, fuzz_u32(&in));
			continue;
		}
		if (op & 8) {
			cfg_read(m, which & 31, fuzz_u8(&in), len == 8 ? 4 : len);
			continue;
		}
		if (len == 8)
			len = 3;	/* no instruction does it; the bus takes any length */
		if (op & 1)
			pio_write(m, port, len, len == 1 ? fuzz_u8(&in) : fuzz_u32(&in));
		else
			pio_read(m, port, len);
	}
	machine_reset(m);
	atomic_store(&m->event, MACHINE_RUNNING);
	return 0;
}
