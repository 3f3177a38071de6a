// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the processes that `mkvm compare` starts: their pipes, their last words, their end.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "compare/child.h"
#include "report.h"

void child_init(struct child *c)
{
	memset(c, 0, sizeof(*c));
	c->pid = -1;
	c->in = -1;
	c->out = -1;
	c->cgroup = -1;
}

void child_arg(struct child *c, const char *fmt, ...)
{
	char *arg = NULL;
	va_list ap;

	if (c->argc > CHILD_MAX_ARGS)
		return;
	va_start(ap, fmt);
	if (vasprintf(&arg, fmt, ap) < 0)
		arg = NULL;
	va_end(ap);
	if (!arg || c->argc == CHILD_MAX_ARGS) {
		free(arg);
		c->argc = CHILD_MAX_ARGS + 1;
		return;
	}
	c->argv[c->argc++] = arg;
}

/*
 * A /dev of its own, for a VMM that opens /dev/kvm and cannot be told otherwise. Nobody else sees
 * it. The devices are made by their numbers, as the old /dev is covered by then.
 */
static int hide_dev(const char *kvm_device)
{
	static const struct {
		const char *path;
		unsigned int minor;
	} nodes[] = {
		{ "/dev/null", 3 },
		{ "/dev/zero", 5 },
		{ "/dev/random", 8 },
		{ "/dev/urandom", 9 },
	};
	struct stat st;
	size_t i;

	if (stat(kvm_device, &st) || unshare(CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", "/dev", "tmpfs", MS_NOEXEC | MS_NOSUID, "mode=755,size=64k"))
		return -1;
	for (i = 0; i < ARRAY_SIZE(nodes); i++) {
		if (mknod(nodes[i].path, S_IFCHR | 0666, makedev(1, nodes[i].minor)))
			return -1;
	}
	return mknod("/dev/kvm", S_IFCHR | 0660, st.st_rdev);
}

static void __attribute__((noreturn))
run_child(struct child *c, int in, int out, pid_t parent, const char *kvm_device)
{
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	/* Not stopped by the terminal's Ctrl-C: we end it when it is in order. */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	if (getppid() != parent)
		_exit(127);
	if (c->cgroup >= 0 && write(c->cgroup, "0", 1) != 1) {
		dprintf(STDERR_FILENO, "cannot enter the cgroup: %s\n", strerror(errno));
		_exit(127);
	}
	if (kvm_device && hide_dev(kvm_device)) {
		dprintf(STDERR_FILENO, "cannot show %s as /dev/kvm: %s\n", kvm_device,
			strerror(errno));
		_exit(127);
	}
	execvp(c->argv[0], c->argv);
	dprintf(STDERR_FILENO, "%s: %s\n", c->argv[0], strerror(errno));
	_exit(127);
}

int child_start(struct child *c, const char *kvm_device)
{
	int in[2], out[2];
	pid_t parent = getpid();

	if (!c->argc || c->argc > CHILD_MAX_ARGS)
		return report("out of memory, or too many arguments");
	if (pipe2(in, O_CLOEXEC))
		return report("pipe: %s", strerror(errno));
	if (pipe2(out, O_CLOEXEC)) {
		close(in[0]);
		close(in[1]);
		return report("pipe: %s", strerror(errno));
	}
	fflush(NULL);
	c->pid = fork();
	if (c->pid == 0)
		run_child(c, in[0], out[1], parent, kvm_device);
	close(in[0]);
	close(out[1]);
	c->in = in[1];
	c->out = out[0];
	if (c->pid < 0)
		return report("fork: %s", strerror(errno));
	return 0;
}

static void take_line(struct child *c, char *line, void (*fn)(void *opaque, char *line),
		      void *opaque)
{
	size_t i, last = ARRAY_SIZE(c->tail) - 1;

	line[strcspn(line, "\r")] = '\0';
	free(c->tail[0]);
	for (i = 0; i < last; i++)
		c->tail[i] = c->tail[i + 1];
	c->tail[last] = strndup(line, 200);
	if (fn)
		fn(opaque, line);
}

int child_read(struct child *c, void (*fn)(void *opaque, char *line), void *opaque)
{
	ssize_t n = read(c->out, c->line + c->used, sizeof(c->line) - 1 - c->used);
	char *start = c->line, *end;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 1;
	c->used += n > 0 ? (size_t)n : 0;
	/* A NUL is no end of a line. */
	for (end = c->line; n > 0 && (end = memchr(end, 0, c->used - (size_t)(end - c->line)));)
		*end = '?';
	c->line[c->used] = '\0';
	while ((end = strchr(start, '\n'))) {
		*end = '\0';
		take_line(c, start, fn, opaque);
		start = end + 1;
	}
	c->used -= (size_t)(start - c->line);
	memmove(c->line, start, c->used + 1);
	/* The rest at the end, or a line that is longer than any of ours. */
	if (c->used && (n <= 0 || c->used == sizeof(c->line) - 1)) {
		take_line(c, c->line, fn, opaque);
		c->used = 0;
	}
	return n > 0;
}

int child_wait(struct child *c)
{
	int status;

	while (waitpid(c->pid, &status, 0) < 0) {
		if (errno != EINTR)
			return 127;
	}
	c->pid = -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void child_kill(struct child *c)
{
	struct timespec pause = { 0, 20000000 };
	int i, status;

	if (c->pid < 0)
		return;
	kill(c->pid, SIGTERM);
	for (i = 0; i < 250; i++) {
		if (waitpid(c->pid, &status, WNOHANG) == c->pid) {
			c->pid = -1;
			return;
		}
		nanosleep(&pause, NULL);
	}
	kill(c->pid, SIGKILL);
	child_wait(c);
}

void child_print_tail(const struct child *c)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(c->tail); i++) {
		if (c->tail[i])
			fprintf(stderr, "  | %s\n", c->tail[i]);
	}
}

void child_free(struct child *c)
{
	size_t i;

	child_kill(c);
	if (c->in >= 0)
		close(c->in);
	if (c->out >= 0)
		close(c->out);
	for (i = 0; i < c->argc && i < CHILD_MAX_ARGS; i++)
		free(c->argv[i]);
	for (i = 0; i < ARRAY_SIZE(c->tail); i++)
		free(c->tail[i]);
	child_init(c);
}
