// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the tests of the sandbox: each kind of thread can do its work and nothing else; what it must
 * not do ends the process with a message that names the system call; privilege is gone for good.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "minikvm.h"
#include "report.h"
#include "sandbox.h"
#include "seccomp_filter.h"
#include "tap.h"

static char said[2000];

/* Run @fn in a child with the filter of @kind. Return its wait status; what it said is in @said. */
static int in_child(enum sandbox_kind kind, void (*fn)(void))
{
	int status, fd[2];
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	if (pipe(fd))
		tap_bail("no pipe");
	pid = fork();
	if (!pid) {
		dup2(fd[1], STDERR_FILENO);
		close(fd[0]);
		close(fd[1]);
		if (seccomp_filter_init() || seccomp_filter_load(kind))
			_exit(99);
		fn();
		syscall(SYS_exit_group, 0);
	}
	close(fd[1]);
	while (len < sizeof(said) - 1 && (n = read(fd[0], said + len, sizeof(said) - 1 - len)) > 0)
		len += (size_t)n;
	said[len] = '\0';
	close(fd[0]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		tap_bail("no child");
	return status;
}

static void must(bool ok)
{
	if (!ok)
		syscall(SYS_exit_group, 1);
}

/* What every thread does. */
static void work(void)
{
	char buf[8];
	int fd[2] = { -1, -1 };
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(p != MAP_FAILED && !mprotect(p, 4096, PROT_READ) && !munmap(p, 4096));
	must(write(STDERR_FILENO, "x", 1) == 1);
	must(read(fd[0], buf, 1) < 0);
	must(ioctl(STDERR_FILENO, MINIKVM_RUN, 0) < 0);
	must(getpid() > 0);
	usleep(1);
	free(malloc(1 << 20));
}

static void do_exec(void)
{
	char *argv[] = { "true", NULL };

	execve("/bin/true", argv, NULL);
}

static void do_fork(void)
{
	syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static void do_create(void)
{
	syscall(SYS_openat, AT_FDCWD, "/tmp/x", O_WRONLY | O_CREAT, 0600);
}

static void do_open(void)
{
	syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY);
}

static void do_code(void)
{
	syscall(SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void do_kill(void)
{
	syscall(SYS_kill, 1, 0);
}

static void do_type(void)
{
	ioctl(STDERR_FILENO, TIOCSTI, "x");
}

static void do_socket(void)
{
	syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static void do_fallocate(void)
{
	syscall(SYS_fallocate, -1, 0, 0, 1);
}

static void do_uring(void)
{
	syscall(SYS_io_uring_setup, 0, NULL);
}

#define ALL	(BIT(NR_SANDBOX_KINDS) - 1)

/* What only some may do, or nobody. */
static const struct {
	const char *name;
	void (*fn)(void);
	u32 allowed;
} deeds[] = {
	{ "execve", do_exec, 0 },
	{ "clone", do_fork, 0 },
	{ "kill", do_kill, 0 },
	{ "mmap", do_code, 0 },
	{ "ioctl", do_type, 0 },
	{ "openat", do_create, 0 },
	{ "openat", do_open, BIT(SANDBOX_MAIN) | BIT(SANDBOX_USERNET) },
	{ "socket", do_socket, BIT(SANDBOX_MAIN) | BIT(SANDBOX_USERNET) },
	{ "fallocate", do_fallocate, BIT(SANDBOX_MAIN) | BIT(SANDBOX_VCPU) | BIT(SANDBOX_DISK) },
	{ "io_uring_setup", do_uring, BIT(SANDBOX_MAIN) | BIT(SANDBOX_DISK) },
};

static void test_kinds(void)
{
	unsigned int kind, i, wrong;

	for (kind = 0; kind < NR_SANDBOX_KINDS; kind++) {
		tap_eq(in_child((enum sandbox_kind)kind, work), 0, "kind %u can work", kind);
		for (i = 0, wrong = 0; i < ARRAY_SIZE(deeds); i++) {
			int status = in_child((enum sandbox_kind)kind, deeds[i].fn);
			bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
			char want[64];

			snprintf(want, sizeof(want), "tried system call %s (", deeds[i].name);
			if (deeds[i].allowed & BIT(kind) ? status != 0 :
							   !killed || !strstr(said, want)) {
				tap_diag("%s: status 0x%x: %s", deeds[i].name, status, said);
				wrong++;
			}
		}
		tap_ok(!wrong, "kind %u can do what it may, and is killed for the rest", kind);
	}
}

static void *narrower(void *opaque)
{
	(void)opaque;
	must(!seccomp_filter_load(SANDBOX_SMALL));
	work();
	do_socket();
	return NULL;
}

static void *plain(void *opaque)
{
	return opaque;
}

static void make_thread(void)
{
	pthread_t t;

	must(!pthread_create(&t, NULL, plain, NULL));
	must(!pthread_join(t, NULL));
}

static void make_narrower(void)
{
	pthread_t t;

	do_socket();
	must(!pthread_create(&t, NULL, narrower, NULL));
	pthread_join(t, NULL);
}

static void test_threads(void)
{
	int status = in_child(SANDBOX_MAIN, make_thread);

	tap_eq(status, 0, "the main thread can start threads");
	status = in_child(SANDBOX_MAIN, make_narrower);
	tap_ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS &&
	       strstr(said, "the device thread tried system call socket"),
	       "which can narrow their filters");
}

/* In a child: 0 if all is given up. */
static int give_up(const struct config *cfg)
{
	cap_t caps, none = cap_init();
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (sandbox_enter(cfg))
			_exit(1);
		caps = cap_get_proc();
		if (!caps || cap_compare(caps, none))
			_exit(2);
		if (cfg->user && (getuid() != cfg->uid || geteuid() != cfg->uid ||
				  getgid() != cfg->gid || !setuid(0)))
			_exit(3);
		if (cfg->chroot && !access("/etc/passwd", F_OK))
			_exit(4);
		_exit(0);
	}
	cap_free(none);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		tap_bail("no child");
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_privilege(void)
{
	char dir[] = "/tmp/sandbox-XXXXXX";
	struct config cfg = { .mem_size = 0 };
	u32 uid = 1, gid = 1;

	tap_ok(!sandbox_user("root", &uid, &gid) && !uid && !gid, "a user by name");
	tap_ok(!sandbox_user("12:34", &uid, &gid) && uid == 12 && gid == 34, "a user by number");
	tap_ok(sandbox_user("12", &uid, &gid) && sandbox_user("12:", &uid, &gid) &&
	       sandbox_user("", &uid, &gid) && sandbox_user("4294967295:0", &uid, &gid) &&
	       sandbox_user("no such user", &uid, &gid), "and who is none");
	tap_eq(give_up(&cfg), 0, "capabilities are given up");
	if (geteuid() || !mkdtemp(dir)) {
		tap_skip("changing user and root needs root");
		return;
	}
	cfg.user = "12:34";
	cfg.uid = 12;
	cfg.gid = 34;
	tap_eq(give_up(&cfg), 0, "the user, too");
	cfg.chroot = dir;
	tap_eq(give_up(&cfg), 0, "and the file system");
	rmdir(dir);
	tap_eq(give_up(&cfg), 1, "a directory that is not there is an error");
}

int main(void)
{
	tap_plan(0);
	test_kinds();
	test_threads();
	test_privilege();
	return tap_done();
}
