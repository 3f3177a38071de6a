// SPDX-License-Identifier: GPL-2.0
/*
 * The lab host's door to the outside: copies standard input to I/O port 0xE9,
 * where Bochs (port_e9_hack) and QEMU (isa-debugcon) both hand each byte to a
 * file of the emulator's owner. It needs no driver and no interrupt and costs
 * one instruction a byte, so it carries results where a 16550 would take 87
 * emulated microseconds a character. "e9 --tsc" prints the time-stamp counter,
 * which in Bochs is the number of instructions since power-on.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/io.h>
#include <unistd.h>

#define E9_PORT 0xe9

int main(int argc, char **argv)
{
	static unsigned char buf[65536];

	if (argc == 2 && !strcmp(argv[1], "--tsc")) {
		printf("0x%016llx\n", __builtin_ia32_rdtsc());
		return 0;
	}
	if (ioperm(E9_PORT, 1, 1)) {
		fprintf(stderr, "e9: no access to port 0xe9: %s\n", strerror(errno));
		return 1;
	}
	for (;;) {
		ssize_t len = read(STDIN_FILENO, buf, sizeof(buf));

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0) {
			fprintf(stderr, "e9: read: %s\n", strerror(errno));
			return 1;
		}
		if (len == 0)
			return 0;
		/* One out per byte: the debug ports do not take strings. */
		for (ssize_t i = 0; i < len; i++)
			outb(buf[i], E9_PORT);
	}
}
