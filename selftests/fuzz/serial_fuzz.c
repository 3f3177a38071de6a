// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of the serial chip alone: the input is what the guest does with its registers, and what
 * comes in on the line meanwhile.
 */
#include "dev/serial.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static bool irq;

static void on_out(void *opaque, u8 byte)
{
	(void)opaque;
	(void)byte;
}

static void on_drained(void *opaque)
{
	(void)opaque;
}

static void on_irq(void *opaque, bool level)
{
	(void)opaque;
	irq = level;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct serial chip = { .out = on_out, .drained = on_drained, .set_irq = on_irq };
	static bool ready;
	struct fuzz_in in = { data, size };
	u8 line[64];

	if (!ready)
		serial_init(&chip);
	ready = true;
	serial_reset(&chip);
	irq = false;
	while (in.left) {
		u8 op = fuzz_u8(&in);

		if (op & 0x80)
			serial_receive(&chip, line, fuzz_bytes(&in, line, op & 63));
		else if (op & 0x40)
			serial_write(&chip, op & 7, fuzz_u8(&in));
		else
			serial_read(&chip, op & 7);
		if (chip.fifo_used > SERIAL_FIFO_SIZE || chip.fifo_head >= SERIAL_FIFO_SIZE ||
		    serial_room(&chip) > SERIAL_FIFO_SIZE)
			fuzz_fail("the FIFO holds %u bytes from %u on", chip.fifo_used,
				  chip.fifo_head);
		if (irq != chip.irq_level)
			fuzz_fail("the line is not what the chip thinks");
	}
	return 0;
}
