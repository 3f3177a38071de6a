// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the start of many tiny VMs at once: how long until they run, and what each takes.
 *
 * Their kernel is an ELF file with a PVH entry point of a few instructions, which writes a line to
 * COM1 and halts.
 * Sources: Xen public/elfnote.h, "XEN_ELFNOTE_PHYS32_ENTRY"; docs/misc/pvh.pandoc.
 */
#include <elf.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "compare/cgroup.h"
#include "compare/child.h"
#include "compare/compare.h"
#include "compare/host.h"
#include "compare/result.h"
#include "compare/rows.h"
#include "report.h"

#define LOAD_ADDRESS 0x1000000
#define PHYS32_ENTRY 18

struct tiny {
	Elf64_Ehdr head;
	Elf64_Phdr load, note;
	struct {
		Elf64_Nhdr head;
		char name[4];
		u32 entry;
	} xen;
	u8 code[16];
} __packed;

static int make_kernel(const char *path)
{
	static const u8 code[] = {
		0xba, 0xf8, 0x03, 0x00, 0x00, /* mov edx, 0x3f8 */
		0xb0, 'U',  0xee, /* mov al, 'U'; out dx, al */
		0xb0, '\n', 0xee, /* mov al, '\n'; out dx, al */
		0xfa, 0xf4, 0xeb, 0xfd, /* cli; 1: hlt; jmp 1b */
	};
	u32 entry = LOAD_ADDRESS + offsetof(struct tiny, code);
	struct tiny t = {
		.head = {
			.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
			.e_entry = entry, .e_phoff = offsetof(struct tiny, load),
			.e_ehsize = sizeof(Elf64_Ehdr), .e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 2,
		},
		.load = {
			.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = LOAD_ADDRESS,
			.p_paddr = LOAD_ADDRESS, .p_filesz = sizeof(t), .p_memsz = sizeof(t),
			.p_align = 4096,
		},
		.note = {
			.p_type = PT_NOTE, .p_flags = PF_R, .p_offset = offsetof(struct tiny, xen),
			.p_vaddr = LOAD_ADDRESS + offsetof(struct tiny, xen),
			.p_paddr = LOAD_ADDRESS + offsetof(struct tiny, xen),
			.p_filesz = sizeof(t.xen), .p_memsz = sizeof(t.xen), .p_align = 4,
		},
		.xen = { { 4, 4, PHYS32_ENTRY }, "Xen", entry },
	};
	FILE *f = fopen(path, "we");
	bool ok;

	memcpy(t.code, code, sizeof(code));
	ok = f && fwrite(&t, sizeof(t), 1, f) == 1;
	if (f && fclose(f))
		ok = false;
	return ok ? 0 : report("%s: %s", path, strerror(errno));
}

/**
 * struct many - the VMs of one run
 * @vm: each
 * @up: which run already
 * @nr: how many there are
 * @nr_up: how many run
 * @group: the cgroup they run in, NULL: there is none, and the kernel's share is not known
 *
 * The first runs before the others are started: what the first VM of all brings with it is not
 * what each takes.
 */
struct many {
	struct child *vm;
	bool *up;
	u64 nr, nr_up;
	const struct cgroup *group;
};

static void take_line(void *opaque, char *line)
{
	bool *up = opaque;
	size_t len = strlen(line);

	/* Firmware may have written before it on the same line. */
	if (len && line[len - 1] == 'U')
		*up = true;
}

static int start(const struct compare *c, const struct column *col, struct child *v, u64 number,
		 int group)
{
	child_arg(v, "%s", col->qemu ? c->qemu : c->mkvm);
	if (col->qemu) {
		child_arg(v, "-nodefaults");
		child_arg(v, "-no-user-config");
		child_arg(v, "-display");
		child_arg(v, "none");
		child_arg(v, "-accel");
		child_arg(v, "kvm");
	} else {
		child_arg(v, "run");
		child_arg(v, "-nographic");
		child_arg(v, "--accel");
		child_arg(v, "%s", col->device);
		child_arg(v, "-name");
		child_arg(v, "compare-%d-%llu", getpid(), (unsigned long long)number);
	}
	child_arg(v, "-m");
	child_arg(v, "32");
	child_arg(v, "-serial");
	child_arg(v, "stdio");
	child_arg(v, "-kernel");
	child_arg(v, "%s/tiny", c->dir);
	v->cgroup = group;
	return child_start(v, col->qemu && col->minikvm ? col->device : NULL);
}

/* Waits until the first @nr run; false: one has ended, or it took too long. */
static bool wait_for(const struct compare *c, struct many *m, u64 nr)
{
	time_t end = time(NULL) + (time_t)c->timeout;
	struct pollfd *fds = calloc(nr, sizeof(*fds));
	bool more = fds != NULL;
	u64 i;

	for (m->nr_up = 0; more && m->nr_up < nr;) {
		for (i = 0; i < nr; i++)
			fds[i] = (struct pollfd){ .fd = m->vm[i].out, .events = POLLIN };
		if (poll(fds, nr, 1000) < 0)
			memset(fds, 0, nr * sizeof(*fds));
		more = !compare_stop && time(NULL) <= end;
		for (m->nr_up = 0, i = 0; i < nr; i++) {
			if (fds[i].revents)
				more &= child_read(&m->vm[i], take_line, &m->up[i]) != 0;
			m->nr_up += m->up[i];
		}
	}
	free(fds);
	return m->nr_up == nr;
}

static int start_and_wait(const struct compare *c, const struct column *col, struct many *m,
			  u64 from, u64 to)
{
	u64 i;

	for (i = from; i < to; i++) {
		if (start(c, col, &m->vm[i], i, m->group ? m->group->procs : -1))
			return -1;
	}
	if (wait_for(c, m, to))
		return 0;
	if (compare_stop)
		return report("compare: interrupted");
	report("compare: %s: %llu of %llu VMs came to run", col->title,
	       (unsigned long long)m->nr_up, (unsigned long long)to);
	for (i = 0; i < to && m->up[i]; i++)
		;
	if (i < to)
		child_print_tail(&m->vm[i]);
	return -1;
}

/**
 * struct taken - what VMs have, in KiB
 * @process: the VMMs, with guest memory
 * @kernel: what the kernel has for them
 */
struct taken {
	u64 process, kernel;
};

static int look(const struct many *m, u64 nr, struct taken *t)
{
	u64 i;

	*t = (struct taken){ .process = 0 };
	for (i = 0; i < nr; i++)
		t->process += memory_of_process(m->vm[i].pid);
	return m->group ? cgroup_kernel(m->group, &t->kernel) : 0;
}

static u64 each(u64 first, u64 all, u64 nr)
{
	return all > first ? (all - first) / nr : 0;
}

static int run(const struct compare *c, const struct column *col, struct many *m, struct samples *s)
{
	struct taken first, all;
	u64 began, nr = m->nr - 1;

	if (start_and_wait(c, col, m, 0, 1) || look(m, 1, &first))
		return -1;
	began = stamp();
	if (start_and_wait(c, col, m, 1, m->nr))
		return -1;
	began = stamp() - began;
	if (look(m, m->nr, &all))
		return -1;
	if (samples_add(s, "many_time", began / nr) ||
	    samples_add(s, "many_process", each(first.process, all.process, nr)) ||
	    (m->group && samples_add(s, "many_kernel", each(first.kernel, all.kernel, nr))))
		return report("compare: too many samples");
	return 0;
}

static int run_once(const struct compare *c, const struct column *col, const struct cgroup *group,
		    struct samples *s)
{
	struct many m = { .nr = c->vms + 1, .group = group };
	int ret = -1;
	u64 i;

	m.vm = calloc(m.nr, sizeof(*m.vm));
	m.up = calloc(m.nr, sizeof(*m.up));
	for (i = 0; m.vm && i < m.nr; i++)
		child_init(&m.vm[i]);
	if (m.vm && m.up)
		ret = run(c, col, &m, s);
	else
		report("out of memory");
	for (i = 0; m.vm && i < m.nr; i++)
		child_free(&m.vm[i]);
	free(m.vm);
	free(m.up);
	return ret;
}

int measure_many(const struct compare *c, const struct column *col, json_t *host)
{
	struct samples s = { .n = 0 };
	struct cgroup group;
	char path[96];
	int ret, uncounted;
	u64 i, kib;

	uncounted = cgroup_open(&group) || cgroup_kernel(&group, &kib);
	snprintf(path, sizeof(path), "%s/tiny", c->dir);
	ret = make_kernel(path);
	for (i = 0; !ret && i < c->repeat; i++)
		ret = run_once(c, col, uncounted ? NULL : &group, &s);
	cgroup_close(&group);
	rows_publish(host, col->id, &s);
	if (ret)
		result_note(host, "%s: many VMs at once could not be measured", col->title);
	else if (uncounted)
		result_note(host, "%s: no kernel memory: it takes Linux 5.18, and the memory controller of "
			    "cgroup v2", col->title);
	return ret ? ret : uncounted;
}
