// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the tests of -daemonize: the caller goes when the machine is ready or has failed, with the
 * right status, and messages go where they should.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon.h"
#include "report.h"
#include "tap.h"

static char dir[] = "/tmp/daemon-test-XXXXXX";
static char log_path[64], err_path[64];

/* The caller's exit status, when @child is what becomes of the machine. */
static int run(void (*child)(void))
{
	int status, fd;
	pid_t pid = fork();

	if (!pid) {
		fd = open(err_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		dup2(fd, STDERR_FILENO);
		close(fd);
		if (daemon_fork(&status))
			_exit(status);
		child();
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		tap_bail("lost a child");
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Does the file hold exactly this, soon? */
static bool holds(const char *path, const char *text)
{
	char buf[256];
	unsigned int tries;
	ssize_t n = 0;
	int fd;

	for (tries = 0; tries < 100; tries++) {
		fd = open(path, O_RDONLY);
		n = fd < 0 ? 0 : read(fd, buf, sizeof(buf) - 1);
		if (fd >= 0)
			close(fd);
		buf[n > 0 ? n : 0] = '\0';
		if (!strcmp(buf, text))
			return true;
		usleep(20000);
	}
	tap_diag("%s: %.100s", path, buf);
	return false;
}

static void becomes_ready(void)
{
	char c;

	report("before");
	if (getsid(0) != getpid())
		report("no session of its own");
	daemon_ready();
	daemon_ready();
	report("after");
	/* Nothing is left of the caller's input. */
	if (read(STDIN_FILENO, &c, 1) != 0)
		_exit(1);
}

static void becomes_ready_with_log(void)
{
	if (daemon_log(log_path))
		_exit(1);
	report("before");
	daemon_ready();
	report("after");
}

static void fails(void)
{
	report("no such thing");
	_exit(1);
}

static void dies(void)
{
	raise(SIGKILL);
}

static void has_no_log(void)
{
	_exit(daemon_log("/nonexistent/log") ? 1 : 0);
}

int main(void)
{
	int fd;

	tap_plan(0);
	if (!mkdtemp(dir))
		tap_bail("no folder");
	snprintf(log_path, sizeof(log_path), "%s/log", dir);
	snprintf(err_path, sizeof(err_path), "%s/err", dir);
	tap_eq(run(becomes_ready), 0, "ready: the caller ends with status 0");
	tap_ok(holds(err_path, "mkvm: before\n"), "and was told what was said until then");
	tap_eq(run(fails), 1, "a mistake: the caller ends with the same status");
	tap_ok(holds(err_path, "mkvm: no such thing\n"), "and was told");
	tap_eq(run(dies), EXIT_SIGNAL_BASE + SIGKILL, "killed: 128 and the signal");
	tap_eq(run(has_no_log), 1, "a log that cannot be opened is a mistake");
	fd = open(log_path, O_WRONLY | O_CREAT, 0600);
	if (write(fd, "old\n", 4) != 4)
		tap_bail("cannot write");
	close(fd);
	tap_eq(run(becomes_ready_with_log), 0, "with a log");
	tap_ok(holds(log_path, "old\nmkvm: after\n") && holds(err_path, "mkvm: before\n"),
	       "what is said later is added to it");
	unlink(log_path);
	unlink(err_path);
	rmdir(dir);
	return tap_done();
}
