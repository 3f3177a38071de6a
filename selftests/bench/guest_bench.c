// SPDX-License-Identifier: GPL-2.0
/*
 * The init of the guest that `mkvm compare` boots: says that it is up, measures what it is told to
 * in MKVM_BENCH (the kernel makes environment of it), "blk" and "net", prints the samples and powers
 * off.
 * The host's end of the talk is userspace/compare/guest.c, which says what the lines are.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WORD		"@compare "
#define WARM_UP		16
#define SAMPLES		256
#define PER_LINE	32
#define ETHERTYPE	0x88b5		/* IEEE 802, "local experimental" */
#define SMALL_FRAME	64
#define LARGE_FRAME	1500
#define DISK		"/dev/vda"
#define BLOCK		4096ul
#define LARGE_BLOCK	65536ul
#define DISK_SIZE	(8ul << 20)

static uint64_t samples[SAMPLES];

static inline uint64_t stamp(void)
{
	uint32_t lo, hi;

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return lo | (uint64_t)hi << 32;
}

static void __attribute__((format(printf, 1, 2))) say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs(WORD, stdout);
	vprintf(fmt, ap);
	putchar('\n');
	fflush(stdout);
	va_end(ap);
}

/* Says a word and waits for the host's line. */
static void meet(const char *word)
{
	char c;

	say("%s", word);
	while (read(STDIN_FILENO, &c, 1) == 1 && c != '\n')
		;
}

static void say_samples(const char *name)
{
	unsigned int i;

	for (i = 0; i < SAMPLES; i++) {
		if (i % PER_LINE == 0)
			printf(WORD "sample %s", name);
		printf(" %llu", (unsigned long long)samples[i]);
		if (i % PER_LINE == PER_LINE - 1)
			putchar('\n');
	}
	fflush(stdout);
}

/* The modules that the host put into the initramfs, in its order. */
static void load_modules(void)
{
	char path[64];
	unsigned int i;
	int fd, ret;

	for (i = 0; ; i++) {
		snprintf(path, sizeof(path), "/modules/%u.ko", i);
		fd = open(path, O_RDONLY);
		if (fd < 0)
			return;
		ret = syscall(SYS_finit_module, fd, "", 0);
		if (ret)	/* compressed, as some distributions ship them */
			ret = syscall(SYS_finit_module, fd, "", 4);
		if (ret && errno != EEXIST)
			say("error %s: %s", path, strerror(errno));
		close(fd);
	}
}

static int wait_for(const char *path)
{
	int i;

	for (i = 0; access(path, F_OK); i++) {
		if (i == 200) {
			say("error %s did not appear", path);
			return -1;
		}
		usleep(50000);
	}
	return 0;
}

/* Times transfers at one place after the other; false if one failed. */
static int transfers(const char *name, int fd, void *buf, size_t size, int write_it, int flush)
{
	uint64_t start;
	unsigned int i;
	off_t at;
	ssize_t n;

	for (i = 0; i < WARM_UP + SAMPLES; i++) {
		at = (off_t)(i * size % DISK_SIZE);
		start = stamp();
		n = write_it ? pwrite(fd, buf, size, at) : pread(fd, buf, size, at);
		if (flush && n == (ssize_t)size && fdatasync(fd))
			n = -1;
		if (i >= WARM_UP)
			samples[i - WARM_UP] = stamp() - start;
		if (n != (ssize_t)size) {
			say("error %s: %s", name, n < 0 ? strerror(errno) : "short transfer");
			return 0;
		}
	}
	say_samples(name);
	return 1;
}

static void measure_disk(void)
{
	void *buf;
	int fd;

	if (wait_for(DISK))
		return;
	fd = open(DISK, O_RDWR | O_DIRECT);
	if (fd < 0 || posix_memalign(&buf, BLOCK, LARGE_BLOCK)) {
		say("error " DISK ": %s", strerror(errno));
		return;
	}
	memset(buf, 0x33, LARGE_BLOCK);
	if (transfers("blk_read_4k", fd, buf, BLOCK, 0, 0) &&
	    transfers("blk_read_64k", fd, buf, LARGE_BLOCK, 0, 0) &&
	    transfers("blk_write_4k", fd, buf, BLOCK, 1, 0))
		transfers("blk_flush", fd, buf, BLOCK, 1, 1);
	free(buf);
	close(fd);
}

/* One frame there and back; 0 if it came back. */
static int echo(int fd, uint8_t *frame, size_t len, uint32_t number)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t back[LARGE_FRAME + 64];
	ssize_t n;

	memcpy(frame + 14, &number, sizeof(number));
	if (send(fd, frame, len, 0) != (ssize_t)len)
		return -1;
	while (poll(&p, 1, 100) > 0) {
		n = recv(fd, back, sizeof(back), 0);
		if (n == (ssize_t)len && !memcmp(back + 14, &number, sizeof(number)))
			return 0;
	}
	return -1;
}

static void echoes(const char *name, int fd, uint8_t *frame, size_t len)
{
	uint64_t start;
	unsigned int i;

	for (i = 0; i < WARM_UP + SAMPLES; i++) {
		start = stamp();
		if (echo(fd, frame, len, (uint32_t)(len << 16 | i))) {
			say("error %s: frame %u did not come back", name, i);
			return;
		}
		if (i >= WARM_UP)
			samples[i - WARM_UP] = stamp() - start;
	}
	say_samples(name);
}

static void measure_network(void)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET, .sll_protocol = htons(ETHERTYPE) };
	struct ifreq ifr = { .ifr_name = "eth0" };
	uint8_t frame[LARGE_FRAME];
	unsigned int i;
	int fd;

	if (wait_for("/sys/class/net/eth0"))
		return;
	fd = socket(AF_PACKET, SOCK_RAW, htons(ETHERTYPE));
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &ifr)) {
		say("error eth0: %s", strerror(errno));
		return;
	}
	ifr.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &ifr) || ioctl(fd, SIOCGIFHWADDR, &ifr)) {
		say("error eth0: %s", strerror(errno));
		return;
	}
	memset(frame, 0xff, 6);
	memcpy(frame + 6, ifr.ifr_hwaddr.sa_data, 6);
	frame[12] = ETHERTYPE >> 8;
	frame[13] = ETHERTYPE & 0xff;
	memset(frame + 14, 0x77, sizeof(frame) - 14);
	addr.sll_ifindex = (int)if_nametoindex("eth0");
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		say("error eth0: %s", strerror(errno));
		return;
	}
	/* The link comes up, and the first of them gets lost. */
	for (i = 0; i < 100 && echo(fd, frame, SMALL_FRAME, i); i++)
		usleep(20000);
	echoes("net_echo_64", fd, frame, SMALL_FRAME);
	echoes("net_echo_1500", fd, frame, LARGE_FRAME);
	close(fd);
}

int main(void)
{
	const char *what = getenv("MKVM_BENCH");

	if (getpid() != 1) {
		fprintf(stderr, "guest_bench: this is the init of a guest of 'mkvm compare'\n");
		return 1;
	}
	meet("up");
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mkdir("/sys", 0755);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	load_modules();
	if (what && strstr(what, "blk"))
		measure_disk();
	if (what && strstr(what, "net"))
		measure_network();
	meet("done");
	sync();
	reboot(RB_POWER_OFF);
	say("error power off: %s", strerror(errno));
	for (;;)
		pause();
}
