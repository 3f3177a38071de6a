// SPDX-License-Identifier: GPL-2.0
/*
 * Owns what the tests of the reading interface share, see inspect.h.
 */
#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "inspect.h"

int vmcs_read(int fd, uint32_t wait_ms, struct vmcs *v)
{
	memset(v, 0, sizeof(*v));
	v->head.wait_ms = wait_ms;
	v->head.nr = MINIKVM_VMCS_NR_FIELDS;
	v->head.fields = PTR(v->field);
	return ioctl(fd, MINIKVM_INSPECT_VMCS, &v->head);
}

/* NULL: this CPU does not have the field. */
const struct minikvm_inspect_field *vmcs_field(const struct vmcs *v, uint32_t encoding)
{
	uint32_t i;

	for (i = 0; i < v->head.nr; i++)
		if (v->field[i].encoding == encoding)
			return &v->field[i];
	return NULL;
}

uint64_t vmcs_value(const struct vmcs *v, uint32_t encoding)
{
	const struct minikvm_inspect_field *f = vmcs_field(v, encoding);

	if (!f)
		tap_bail("the VMCS has no field %#x", encoding);
	return f->value;
}

static void on_signal(int sig)
{
	(void)sig;
}

static void *runner_main(void *arg)
{
	struct runner *r = arg;

	do {
		vcpu_run(r->vcpu);
		r->runs++;
	} while (!r->stop && !r->once);
	return NULL;
}

void runner_start(struct runner *r, struct vcpu *vcpu, bool once)
{
	struct sigaction act = { .sa_handler = on_signal };

	sigaction(SIGUSR1, &act, NULL);
	r->vcpu = vcpu;
	r->stop = false;
	r->runs = 0;
	r->once = once;
	if (pthread_create(&r->thread, NULL, runner_main, r))
		tap_bail("pthread_create");
}

void runner_stop(struct runner *r)
{
	r->stop = true;
	r->vcpu->run->immediate_exit = 1;
	/* The signal may come before RUN does; immediate_exit does not. */
	while (pthread_tryjoin_np(r->thread, NULL)) {
		pthread_kill(r->thread, SIGUSR1);
		usleep(2000);
	}
	r->vcpu->run->immediate_exit = 0;
}

uint32_t read_mp_state(int fd)
{
	struct minikvm_inspect_lapic s = { 0 };

	if (ioctl(fd, MINIKVM_INSPECT_LAPIC, &s))
		tap_bail("INSPECT_LAPIC: %m");
	return s.mp_state;
}

/* Reports one point: the vCPU gets into @state, in a while. */
void wait_mp_state(int fd, uint32_t state, const char *what)
{
	unsigned int i;

	for (i = 0; i < 500 && read_mp_state(fd) != state; i++)
		usleep(10000);
	tap_eq(read_mp_state(fd), state, "%s", what);
}

/* A copy of process @pid's descriptor whose link in /proc is @name; -1: it has none. */
int steal_fd(pid_t pid, const char *name)
{
	char path[64], link[PATH_MAX];
	int pidfd, got = -1;
	struct dirent *e;
	ssize_t n;
	DIR *dir;

	pidfd = syscall(SYS_pidfd_open, pid, 0);
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	while (dir && got < 0 && (e = readdir(dir))) {
		n = readlinkat(dirfd(dir), e->d_name, link, sizeof(link) - 1);
		link[n > 0 ? n : 0] = '\0';
		if (!strcmp(link, name))
			got = syscall(SYS_pidfd_getfd, pidfd, atoi(e->d_name), 0);
	}
	if (dir)
		closedir(dir);
	close(pidfd);
	return got;
}
