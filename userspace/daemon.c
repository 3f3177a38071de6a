// SPDX-License-Identifier: GPL-2.0
/*
 * -daemonize: the caller gets its prompt back when the machine is built, and every mistake before
 * that on its standard error, with the status that a machine in the foreground would give.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon.h"
#include "report.h"
#include "types.h"

/*
 * In the child, or with a log, until the machine is ready. File-scope: there is one process, and
 * one end of its start.
 */
static int ready_fd = -1;
static int null_fd = -1;
static int log_fd = -1;

static int wait_for(pid_t child, int fd)
{
	char ready;
	int status;
	ssize_t n;

	do {
		n = read(fd, &ready, 1);
	} while (n < 0 && errno == EINTR);
	if (n == 1)
		return EXIT_POWEROFF;
	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return EXIT_ERROR;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_SIGNAL_BASE + WTERMSIG(status);
}

bool daemon_fork(int *status)
{
	int fd[2] = { -1, -1 };
	pid_t child;

	*status = EXIT_ERROR;
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd < 0 || pipe2(fd, O_CLOEXEC)) {
		report("-daemonize: %s", strerror(errno));
		return true;
	}
	child = fork();
	if (child < 0) {
		report("-daemonize: cannot fork: %s", strerror(errno));
		return true;
	}
	if (child) {
		close(fd[1]);
		*status = wait_for(child, fd[0]);
		return true;
	}
	close(fd[0]);
	ready_fd = fd[1];
	/* Cannot fail in a new child. */
	(void)setsid();
	return false;
}

int daemon_log(const char *path)
{
	log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
	return log_fd < 0 ? report("-D %s: cannot open it: %s", path, strerror(errno)) : 0;
}

/* Last, so that what goes wrong before is told to the caller. */
static void use_log(void)
{
	if (log_fd < 0)
		return;
	(void)dup3(log_fd, STDERR_FILENO, 0);
	close(log_fd);
	log_fd = -1;
}

void daemon_ready(void)
{
	int fd;

	if (ready_fd < 0) {
		use_log();
		return;
	}
	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		(void)dup3(null_fd, fd, 0);
	close(null_fd);
	use_log();
	/* A parent that was killed meanwhile does not matter. */
	if (write(ready_fd, "", 1) < 0)
		errno = 0;
	close(ready_fd);
	ready_fd = -1;
}
