// SPDX-License-Identifier: GPL-2.0
/*
 * Opening what a byte stream ends in: files, pseudo terminals, listening sockets.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "chardev_fds.h"
#include "report.h"

static int open_file(struct chardev_fds *fds, const struct chardev_config *cfg)
{
	int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (cfg->append ? O_APPEND : O_TRUNC);

	fds->out = open(cfg->path, flags, 0666);
	if (fds->out < 0)
		return report("serial file %s: cannot open it for writing: %s", cfg->path,
			      strerror(errno));
	return 0;
}

static int open_pty(struct chardev_fds *fds)
{
	struct termios t;
	const char *name;

	fds->in = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	fds->out = fds->in;
	if (fds->in < 0 || grantpt(fds->in) || unlockpt(fds->in))
		return report("serial pty: there is no pseudo terminal: %s", strerror(errno));
	name = ptsname(fds->in);
	fds->hold = name ? open(name, O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;
	if (fds->hold < 0)
		return report("serial pty: cannot open it: %s", strerror(errno));
	/* The guest's own terminal driver echoes and edits. */
	if (tcgetattr(fds->hold, &t))
		return report("serial pty: %s", strerror(errno));
	cfmakeraw(&t);
	if (tcsetattr(fds->hold, TCSANOW, &t))
		return report("serial pty: %s", strerror(errno));
	report("char device redirected to %s", name);
	return 0;
}

/* A socket that nobody listens on is left over from a process that was killed. */
static int remove_stale(const char *path, const struct sockaddr_un *sun)
{
	struct stat st;
	int fd, err;

	if (lstat(path, &st))
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return report("serial socket %s: exists and is no socket", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	err = fd >= 0 && !connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) ? 0 : errno;
	if (fd >= 0)
		close(fd);
	if (err != ECONNREFUSED)
		return report("serial socket %s: is in use", path);
	(void)unlink(path);
	return 0;
}

static int open_unix(struct chardev_fds *fds, const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	mode_t mask;
	int err;

	if (strlen(path) >= sizeof(sun.sun_path))
		return report("serial socket %s: the path is longer than %zu characters", path,
			      sizeof(sun.sun_path) - 1);
	strcpy(sun.sun_path, path);
	if (remove_stale(path, &sun))
		return -1;
	fds->listen = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* For the user alone: whoever connects types at the guest. No other thread exists yet. */
	mask = umask(0177);
	err = fds->listen < 0 || bind(fds->listen, (struct sockaddr *)&sun, sizeof(sun)) ||
	      listen(fds->listen, 1) ? errno : 0;
	umask(mask);
	if (err)
		return report("serial socket %s: cannot listen: %s", path, strerror(err));
	fds->path = path;
	return 0;
}

static int open_tcp(struct chardev_fds *fds, u16 port, bool ipv6)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	const struct sockaddr *addr = ipv6 ? (struct sockaddr *)&in6 : (struct sockaddr *)&in4;
	int one = 1;

	in4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	in6.sin6_addr = in6addr_loopback;
	fds->listen = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fds->listen < 0 ||
	    setsockopt(fds->listen, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fds->listen, addr, ipv6 ? sizeof(in6) : sizeof(in4)) || listen(fds->listen, 1))
		return report("serial tcp port %u: cannot listen: %s", port, strerror(errno));
	return 0;
}

static int open_socket(struct chardev_fds *fds, const struct chardev_config *cfg)
{
	fds->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	fds->in = fds->null < 0 ? -1 : fcntl(fds->null, F_DUPFD_CLOEXEC, 0);
	fds->out = fds->in;
	if (fds->in < 0)
		return report("cannot open /dev/null: %s", strerror(errno));
	return cfg->kind == CHARDEV_UNIX ? open_unix(fds, cfg->path) :
					   open_tcp(fds, cfg->port, cfg->ipv6);
}

int chardev_fds_open(struct chardev_fds *fds, const struct chardev_config *cfg)
{
	int ret = 0;

	*fds = (struct chardev_fds){ .in = -1, .out = -1, .listen = -1, .null = -1, .hold = -1 };
	switch (cfg->kind) {
	case CHARDEV_STDIO:
		fds->in = STDIN_FILENO;
		fds->out = STDOUT_FILENO;
		break;
	case CHARDEV_FILE:
		ret = open_file(fds, cfg);
		break;
	case CHARDEV_PTY:
		ret = open_pty(fds);
		break;
	case CHARDEV_UNIX:
	case CHARDEV_TCP:
		ret = open_socket(fds, cfg);
		break;
	case CHARDEV_NONE:
	case CHARDEV_NULL:
		break;
	}
	if (ret)
		chardev_fds_close(fds);
	return ret;
}

static void close_one(int fd)
{
	if (fd > STDERR_FILENO)
		close(fd);
}

void chardev_fds_close(struct chardev_fds *fds)
{
	close_one(fds->in);
	if (fds->out != fds->in)
		close_one(fds->out);
	close_one(fds->listen);
	close_one(fds->null);
	close_one(fds->hold);
	if (fds->path)
		(void)unlink(fds->path);
	*fds = (struct chardev_fds){ .in = -1, .out = -1, .listen = -1, .null = -1, .hold = -1 };
}

/* The number of the descriptor stays the same, so that writers need no lock. */
bool chardev_fds_accept(struct chardev_fds *fds)
{
	int fd = accept4(fds->listen, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	bool connected;

	if (fd < 0)
		return false;
	connected = dup3(fd, fds->in, O_CLOEXEC) >= 0;
	close(fd);
	return connected;
}

void chardev_fds_hang_up(struct chardev_fds *fds)
{
	(void)dup3(fds->null, fds->in, O_CLOEXEC);
}
