// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the guest that `mkvm compare` boots: the VMM's command line, the talk with the guest's init
 * over its serial console, and the echo at the other end of its network.
 *
 * Our own init writes lines that begin with "@compare " and waits for a line from us after "up" and
 * after "done"; the VM stands still enough meanwhile for its counters to be read. What is said:
 *
 *	@compare up
 *	@compare sample NAME VALUE...
 *	@compare error TEXT
 *	@compare done
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "compare/child.h"
#include "compare/compare.h"
#include "compare/echo.h"
#include "compare/guest.h"
#include "compare/host.h"
#include "compare/initramfs.h"
#include "compare/result.h"
#include "compare/rows.h"
#include "report.h"

#define WORD	   "@compare "
#define GUEST_NAME "compare-%d"

/**
 * struct guest - one that runs
 * @c: what to measure
 * @col: on what
 * @s: gets the figures
 * @trace: set if its exits are counted by reason; then nothing else is measured
 * @vmm: its process
 * @echo: its network's other end
 * @start: time stamp of the VMM's start
 * @up: the guest's init has said so
 * @done: it has said that all is done
 * @failed: something was reported
 */
struct guest {
	const struct compare *c;
	const struct column *col;
	struct samples *s;
	const struct reasons *trace;
	struct child vmm;
	struct echo echo;
	u64 start;
	bool up, done, failed;
};

static void fail(struct guest *g, const char *what)
{
	if (!g->failed)
		report("compare: %s: %s", g->col->title, what);
	g->failed = true;
}

static void add(struct guest *g, const char *name, u64 value)
{
	if (samples_add(g->s, name, value))
		fail(g, "too many samples");
}

/* The guest is up. @now: when its line was read. */
static void is_up(struct guest *g, u64 now)
{
	char name[32];

	g->up = true;
	if (g->trace) {
		g->failed |= reasons_add(g->s, g->trace) != 0;
		return;
	}
	if (!(g->c->benches & BENCH_BOOT))
		return;
	add(g, "boot", now - g->start);
	if (!g->col->qemu) {
		snprintf(name, sizeof(name), GUEST_NAME, getpid());
		g->failed |= counters_add(g->s, name) != 0;
	}
	add(g, "vm_process", memory_of_process(g->vmm.pid));
}

static void go_on(struct guest *g)
{
	if (write(g->vmm.in, "\n", 1) != 1)
		fail(g, "the guest's console takes no input");
}

static void take_line(void *opaque, char *line)
{
	u64 now = stamp();
	struct guest *g = opaque;
	char *word;

	if (g->c->initrd) {
		if (!g->up && strstr(line, g->c->marker)) {
			is_up(g, now);
			g->done = true;
		}
		return;
	}
	/* The kernel may have written before it on the same line. */
	word = strstr(line, WORD);
	if (!word)
		return;
	word += strlen(WORD);
	if (!strcmp(word, "up") && !g->up) {
		is_up(g, now);
		go_on(g);
	} else if (!strcmp(word, "done") && g->up) {
		g->done = true;
		go_on(g);
	} else if (!strncmp(word, "sample ", 7)) {
		if (samples_line(g->s, word + 7))
			fail(g, "the guest's init printed a line that is no samples");
	} else if (!strncmp(word, "error ", 6)) {
		fail(g, word);
	}
}

static void mkvm_arguments(struct guest *g)
{
	struct child *v = &g->vmm;

	child_arg(v, "%s", g->c->mkvm);
	child_arg(v, "run");
	child_arg(v, "--accel");
	child_arg(v, "%s", g->col->device);
	child_arg(v, "-name");
	child_arg(v, GUEST_NAME, getpid());
	child_arg(v, "-nographic");
}

static void qemu_arguments(struct guest *g)
{
	struct child *v = &g->vmm;

	child_arg(v, "%s", g->c->qemu);
	child_arg(v, "-nodefaults");
	child_arg(v, "-no-user-config");
	child_arg(v, "-accel");
	child_arg(v, "kvm");
	child_arg(v, "-cpu");
	child_arg(v, "host");
	child_arg(v, "-display");
	child_arg(v, "none");
	child_arg(v, "-monitor");
	child_arg(v, "none");
}

/* What is the same for both VMMs. */
static void machine_arguments(struct guest *g, const char *initrd, const char *disk)
{
	const struct compare *c = g->c;
	struct child *v = &g->vmm;
	bool work = !g->trace && !c->initrd;

	child_arg(v, "-m");
	child_arg(v, "%llu", (unsigned long long)c->memory);
	child_arg(v, "-smp");
	child_arg(v, "%llu", (unsigned long long)c->smp);
	child_arg(v, "-serial");
	child_arg(v, "stdio");
	child_arg(v, "-no-reboot");
	child_arg(v, "-kernel");
	child_arg(v, "%s", c->kernel);
	child_arg(v, "-initrd");
	child_arg(v, "%s", initrd);
	child_arg(v, "-append");
	child_arg(v, "console=ttyS0,115200 quiet cryptomgr.notests panic=-1 MKVM_BENCH=%s%s%s %s",
		  work && c->benches & BENCH_BLK ? "blk," : "",
		  work && c->benches & BENCH_NET ? "net," : "", "end", c->append);
	child_arg(v, "-drive");
	child_arg(v, "file=%s,format=raw,if=virtio", disk);
	if (c->disk) {
		child_arg(v, "-drive");
		child_arg(v, "file=%s,if=virtio,snapshot=on", c->disk);
	}
	child_arg(v, "-netdev");
	child_arg(v, "stream,id=n0,server=off,addr.type=unix,addr.path=%s", g->echo.path);
	child_arg(v, "-device");
	child_arg(v, "virtio-net-pci,netdev=n0%s", g->col->qemu ? ",romfile=" : "");
}

static void serve(struct guest *g)
{
	time_t end = time(NULL) + (time_t)g->c->timeout;
	struct pollfd fds[3];
	bool more = true;

	while (more && !(g->c->initrd && g->done)) {
		fds[0] = (struct pollfd){ .fd = g->vmm.out, .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = g->echo.listen, .events = POLLIN };
		fds[2] = (struct pollfd){ .fd = g->echo.fd, .events = POLLIN };
		if (poll(fds, 3, 1000) < 0 && errno != EINTR)
			return fail(g, strerror(errno));
		if (compare_stop)
			return fail(g, "interrupted");
		if (time(NULL) > end)
			return fail(g, "the guest did not come to its end in time (--timeout)");
		if (fds[1].revents)
			echo_accept(&g->echo);
		if (fds[2].revents)
			echo_serve(&g->echo);
		if (fds[0].revents)
			more = child_read(&g->vmm, take_line, g);
	}
}

static void run(struct guest *g)
{
	int status;

	g->start = stamp();
	if (child_start(&g->vmm, g->col->qemu && g->col->minikvm ? g->col->device : NULL)) {
		g->failed = true;
		return;
	}
	serve(g);
	if (!g->c->initrd && g->done && !g->failed) {
		status = child_wait(&g->vmm);
		if (status)
			fail(g, "the VMM did not end with status 0");
	}
	child_kill(&g->vmm);
	if (!g->done)
		fail(g, "the guest ended before it had done everything");
}

int guest_run(const struct compare *c, const struct column *col, struct samples *s,
	      const struct reasons *trace)
{
	struct guest g = { .c = c, .col = col, .s = s, .trace = trace };
	char initrd[96], disk[96];

	snprintf(initrd, sizeof(initrd), "%s/initrd", c->dir);
	snprintf(disk, sizeof(disk), "%s/disk", c->dir);
	child_init(&g.vmm);
	if (echo_open(&g.echo, c->dir)) {
		child_free(&g.vmm);
		return -1;
	}
	if (col->qemu)
		qemu_arguments(&g);
	else
		mkvm_arguments(&g);
	machine_arguments(&g, c->initrd ? c->initrd : initrd, disk);
	run(&g);
	if (g.failed && !compare_stop)
		child_print_tail(&g.vmm);
	child_free(&g.vmm);
	echo_close(&g.echo);
	return g.failed ? -1 : 0;
}

/* Blocks that are really there: a hole is read without asking the disk. */
static int make_disk(const char *path)
{
	static char block[65536];
	FILE *f = fopen(path, "we");
	int i, ok = f != NULL;

	memset(block, 0x5a, sizeof(block));
	for (i = 0; ok && i < GUEST_DISK_SIZE / (int)sizeof(block); i++)
		ok = fwrite(block, sizeof(block), 1, f) == 1;
	if (f && fclose(f))
		ok = 0;
	return ok ? 0 : report("%s: %s", path, strerror(errno));
}

int guest_prepare(const struct compare *c)
{
	char release[128], dir[192], path[96], *init;
	int ret;

	snprintf(path, sizeof(path), "%s/disk", c->dir);
	if (make_disk(path))
		return -1;
	if (c->initrd)
		return 0;
	if (!c->modules_dir) {
		if (initramfs_release(release, sizeof(release), c->kernel))
			return -1;
		snprintf(dir, sizeof(dir), "/lib/modules/%s", release);
	}
	init = bench_program("guest_bench");
	if (!init)
		return -1;
	snprintf(path, sizeof(path), "%s/initrd", c->dir);
	ret = initramfs_make(path, init, c->modules_dir ? c->modules_dir : dir);
	free(init);
	return ret;
}

int measure_guest(const struct compare *c, const struct column *col, json_t *host)
{
	struct samples s = { .n = 0 };
	u64 i;
	int ret = 0;

	for (i = 0; !ret && i < c->repeat; i++)
		ret = guest_run(c, col, &s, NULL);
	rows_publish(host, col->id, &s);
	if (ret)
		result_note(host, "%s: the guest did not do everything", col->title);
	return ret;
}

int measure_reasons(const struct compare *c, const struct column *col, json_t *host)
{
	struct samples s = { .n = 0 };
	struct reasons r;
	u64 i;
	int ret = 0;

	for (i = 0; !ret && i < c->repeat; i++) {
		ret = reasons_begin(&r, col->minikvm);
		if (ret)
			break;
		ret = guest_run(c, col, &s, &r);
		reasons_end(&r);
	}
	rows_publish(host, col->id, &s);
	if (ret)
		result_note(host, "%s: exits could not be counted by reason", col->title);
	return ret;
}
