// SPDX-License-Identifier: GPL-2.0
/*
 * The lab host's door to the outside: copies standard input to I/O port 0xE9,
 * where Bochs (port_e9_hack) and QEMU (isa-debugcon) both hand each byte to a
 * file of the emulator's owner. It needs no driver and no interrupt and costs
 * one instruction a byte, so it carries results where a 16550 would take 87
 * emulated microseconds a character. "e9 --tsc" prints the time-stamp counter,
 * which in Bochs is the number of instructions since power-on. "e9 --drain"
 * waits until the terminal on standard input has sent all its output; "e9 --watch"
 * stays and sees to it that output keeps moving.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define E9_PORT 0xe9

/*
 * Bochs at times loses the interrupt by which its 16550 asks for more, and the
 * kernel then waits for good. Turning the flow off and on asks the chip again.
 */
static int drain(int tty, int stay)
{
	int before = 0, now;

	for (;;) {
		if (ioctl(tty, TIOCOUTQ, &now)) {
			fprintf(stderr, "e9: not a terminal: %s\n", strerror(errno));
			return 1;
		}
		if (!now && !stay)
			return tcdrain(tty) ? 1 : 0;
		if (now && now == before) {
			tcflow(tty, TCOOFF);
			tcflow(tty, TCOON);
		}
		before = now;
		usleep(stay ? 500000 : 20000);
	}
}

int main(int argc, char **argv)
{
	static unsigned char buf[65536];

	if (argc == 2 && !strcmp(argv[1], "--tsc")) {
		printf("0x%016llx\n", __builtin_ia32_rdtsc());
		return 0;
	}
	if (argc == 2 && !strcmp(argv[1], "--drain"))
		return drain(STDIN_FILENO, 0);
	if (argc == 2 && !strcmp(argv[1], "--watch"))
		return drain(STDIN_FILENO, 1);
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
