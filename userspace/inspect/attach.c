// SPDX-License-Identifier: GPL-2.0
/*
 * Finds the descriptors of a machine among those of its VMM, by the names the kernel shows in
 * /proc/PID/fd, and copies them with pidfd_getfd(): the VMM takes no part and is not stopped.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "control/entry.h"
#include "inspect/attach.h"
#include "proc_fds.h"
#include "report.h"

#define VM_LINK		"anon_inode:minikvm-vm"
#define VCPU_LINK	"anon_inode:minikvm-vcpu:"
#define STOCK_LINK	"anon_inode:kvm-vm"

/* Number of a vCPU, from its link; false: it is none. */
static bool vcpu_id(const char *link, unsigned int *id)
{
	char *end;

	if (strncmp(link, VCPU_LINK, strlen(VCPU_LINK)))
		return false;
	link += strlen(VCPU_LINK);
	*id = (unsigned int)strtoul(link, &end, 10);
	return *link >= '0' && *link <= '9' && !*end;
}

/* Our copy of its descriptor @fd, if it still is what @link said; -1 with errno. */
static int copy_fd(const struct attached *a, int fd, const char *link)
{
	char path[32], now[PROC_LINK_MAX];
	int copy = pidfd_getfd(a->pidfd, fd, 0);

	if (copy < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", copy);
	if (proc_link(AT_FDCWD, path, now) && !strcmp(now, link))
		return copy;
	close(copy);
	errno = EBADF;
	return -1;
}

static bool same_file(int one, int other)
{
	return !syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, one, other);
}

/* Keeps the descriptor of a vCPU; a second one of the same vCPU is dropped. */
static int keep_vcpu(struct attached *a, unsigned int id, int fd)
{
	struct attached_vcpu *grown;
	unsigned int at;

	for (at = 0; at < a->nr_vcpus && a->vcpus[at].id < id; at++)
		;
	if (at < a->nr_vcpus && a->vcpus[at].id == id) {
		close(fd);
		return 0;
	}
	grown = realloc(a->vcpus, (a->nr_vcpus + 1) * sizeof(*grown));
	if (!grown) {
		close(fd);
		return report("out of memory");
	}
	memmove(grown + at + 1, grown + at, (a->nr_vcpus - at) * sizeof(*grown));
	grown[at] = (struct attached_vcpu){ .id = id, .fd = fd };
	a->vcpus = grown;
	a->nr_vcpus++;
	return 0;
}

static int keep_vm(struct attached *a, int fd)
{
	if (a->vm_fd < 0) {
		a->vm_fd = fd;
		return 0;
	}
	if (same_file(fd, a->vm_fd)) {
		close(fd);
		return 0;
	}
	close(fd);
	return report("%s has more than one VM: which one is meant cannot be told", a->label);
}

/* What scan() is at. */
struct scan {
	struct attached *a;
	bool stock;
};

/* Looks at one descriptor of the process; -1 after a report. */
static int look_at(void *opaque, int fd, const char *link)
{
	struct scan *s = opaque;
	struct attached *a = s->a;
	bool is_vm = !strcmp(link, VM_LINK);
	unsigned int id = 0;
	int copy;

	s->stock |= !strcmp(link, STOCK_LINK);
	if (!is_vm && !vcpu_id(link, &id))
		return 0;
	copy = copy_fd(a, fd, link);
	if (copy < 0) {
		/* Closed meanwhile. */
		if (errno == EBADF)
			return 0;
		if (errno == EPERM)
			return report("%s: no permission to look into process %ld; try as root",
				      a->label, (long)a->pid);
		if (errno == ESRCH)
			return report("%s has ended", a->label);
		return report("%s: cannot copy a descriptor: %s", a->label, strerror(errno));
	}
	return is_vm ? keep_vm(a, copy) : keep_vcpu(a, id, copy);
}

static int scan(struct attached *a)
{
	struct scan s = { .a = a };
	int err = proc_fds(a->pid, look_at, &s);

	if (err && errno == EACCES)
		return report("%s: no permission to look into process %ld; try as root", a->label,
			      (long)a->pid);
	if (err && errno && attach_gone(a))
		return report("%s has ended", a->label);
	if (err && errno)
		return report("%s: cannot read its descriptors: %s", a->label, strerror(errno));
	if (err || a->vm_fd >= 0)
		return err;
	if (attach_gone(a))
		return report("%s has ended", a->label);
	if (s.stock)
		return report("%s runs on stock KVM, which lets nobody look inside", a->label);
	return report("%s has no VM of minikvm", a->label);
}

int attach_open(struct attached *a, const char *name, pid_t pid)
{
	*a = (struct attached){ .pidfd = -1, .vm_fd = -1 };
	if (name) {
		if (!entry_name_valid(name))
			return report("'%s' is no name of a virtual machine", name);
		snprintf(a->label, sizeof(a->label), "%s", name);
		pid = entry_pid(name);
		if (pid <= 0)
			return report("no virtual machine '%s' is running; see 'mkvm list'", name);
	} else {
		snprintf(a->label, sizeof(a->label), "pid %ld", (long)pid);
	}
	a->pid = pid;
	a->pidfd = pidfd_open(pid, 0);
	if (a->pidfd < 0 && errno == ESRCH)
		return report(name ? "%s has ended" : "there is no process with %s", a->label);
	if (a->pidfd < 0)
		return report("%s: pidfd_open: %s", a->label, strerror(errno));
	/* The process we have now may be another one with its number. */
	if (name && entry_pid(name) != pid)
		return report("%s has ended", a->label);
	return scan(a);
}

static void drop_fds(struct attached *a)
{
	unsigned int i;

	for (i = 0; i < a->nr_vcpus; i++)
		close(a->vcpus[i].fd);
	free(a->vcpus);
	if (a->vm_fd >= 0)
		close(a->vm_fd);
	a->vcpus = NULL;
	a->nr_vcpus = 0;
	a->vm_fd = -1;
}

int attach_again(struct attached *a)
{
	drop_fds(a);
	return scan(a);
}

void attach_close(struct attached *a)
{
	drop_fds(a);
	if (a->pidfd >= 0)
		close(a->pidfd);
	a->pidfd = -1;
}

bool attach_gone(const struct attached *a)
{
	struct pollfd pfd = { .fd = a->pidfd, .events = POLLIN };

	return poll(&pfd, 1, 0) == 1;
}

int attach_vcpu(const struct attached *a, unsigned int id)
{
	unsigned int i;

	for (i = 0; i < a->nr_vcpus; i++) {
		if (a->vcpus[i].id == id)
			return a->vcpus[i].fd;
	}
	if (!a->nr_vcpus)
		return report("%s has no vCPU", a->label);
	return report("%s has no vCPU %u; it has %u, numbered %u to %u", a->label, id, a->nr_vcpus,
		      a->vcpus[0].id, a->vcpus[a->nr_vcpus - 1].id);
}

pid_t attach_parse_pid(const char *text)
{
	char *end;
	long pid;

	errno = 0;
	pid = strtol(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || pid < 1 || pid > INT_MAX)
		return report("--pid: '%s' is no process number", text);
	return (pid_t)pid;
}
