// SPDX-License-Identifier: GPL-2.0
/*
 * Who is who: NAME.lock is locked as long as the machine NAME runs, whatever becomes of the
 * process, so nothing but the lock says that a machine exists. A lock file that nobody holds is
 * removed by whoever finds it, holding the lock itself.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "control/entry.h"
#include "report.h"
#include "types.h"

#define NAME_MAX_LEN	64
#define LOCK_SUFFIX	".lock"

bool entry_name_valid(const char *name)
{
	size_t len = strspn(name,
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

	return len && !name[len] && len <= NAME_MAX_LEN && *name != '.' && *name != '-';
}

bool entry_dir(char *buf, size_t size)
{
	const char *given = getenv("MKVM_RUNTIME_DIR");
	const char *user = getenv("XDG_RUNTIME_DIR");
	int len;

	if (given && *given == '/')
		len = snprintf(buf, size, "%s", given);
	else if (geteuid() == 0)
		len = snprintf(buf, size, "/run/mkvm");
	else if (user && *user == '/')
		len = snprintf(buf, size, "%s/mkvm", user);
	else
		return false;
	return len > 0 && (size_t)len < size;
}

bool entry_socket(const char *name, char path[ENTRY_PATH_MAX])
{
	char dir[ENTRY_PATH_MAX];
	int len;

	if (!entry_dir(dir, sizeof(dir)))
		return false;
	len = snprintf(path, ENTRY_PATH_MAX, "%s/%s.sock", dir, name);
	return len > 0 && len < ENTRY_PATH_MAX;
}

/* Nobody else may put files there. */
static int open_dir(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -1;
	if (!fstat(fd, &st) && st.st_uid == geteuid() && !(st.st_mode & 022))
		return fd;
	close(fd);
	errno = EPERM;
	return -1;
}

/* The lock's file, opened and locked; -1 with errno, EAGAIN if somebody else has it. */
static int lock_file(int dir_fd, const char *file, int flags)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	const struct timespec moment = { .tv_nsec = 20000000 };
	struct stat held, named;
	int fd, err, tries = 0;

	for (;;) {
		fd = openat(dir_fd, file, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
		if (fd < 0)
			return -1;
		if (fcntl(fd, F_OFD_SETLK, &lock)) {
			err = errno == EACCES ? EAGAIN : errno;
			/* It may be somebody who is removing what a crash left behind. */
			if (err != EAGAIN || !(flags & O_CREAT) || tries++ == 5)
				break;
			close(fd);
			nanosleep(&moment, NULL);
			continue;
		}
		/* Its owner may have removed it since: then the name belongs to a newer file. */
		if (!fstat(fd, &held) && !fstatat(dir_fd, file, &named, AT_SYMLINK_NOFOLLOW) &&
		    held.st_ino == named.st_ino && held.st_dev == named.st_dev)
			return fd;
		close(fd);
	}
	/* For the message: who has it. */
	if (err == EAGAIN && (flags & O_CREAT)) {
		char pid[16] = "";
		ssize_t n = read(fd, pid, sizeof(pid) - 1);

		pid[n > 0 ? strspn(pid, "0123456789") : 0] = '\0';
		report("-name %.*s: a virtual machine of this name is running%s%s%s",
		       (int)(strlen(file) - strlen(LOCK_SUFFIX)), file, *pid ? " (pid " : "", pid,
		       *pid ? ")" : "");
	}
	close(fd);
	errno = err;
	return -1;
}

static void remove_files(int dir_fd, const char *name)
{
	char file[NAME_MAX_LEN + 16];

	/* The lock goes last: while it is there, its name is taken. */
	snprintf(file, sizeof(file), "%s.sock", name);
	(void)unlinkat(dir_fd, file, 0);
	snprintf(file, sizeof(file), "%s" LOCK_SUFFIX, name);
	(void)unlinkat(dir_fd, file, 0);
}

int entry_claim(struct entry *e, const char *name)
{
	char dir[ENTRY_PATH_MAX], file[NAME_MAX_LEN + 16], pid[16];
	int len;

	*e = (struct entry){ .name = name, .dir_fd = -1, .lock_fd = -1 };
	if (!entry_dir(dir, sizeof(dir)) || !entry_socket(name, e->socket)) {
		report("note: no control socket: XDG_RUNTIME_DIR is not set, or too long");
		return 0;
	}
	if (mkdir(dir, geteuid() ? 0700 : 0755) && errno != EEXIST) {
		report("note: no control socket: cannot make %s: %s", dir, strerror(errno));
		return 0;
	}
	e->dir_fd = open_dir(dir);
	if (e->dir_fd < 0)
		return report("control socket: %s must be a folder that only you can write to: %s",
			      dir, strerror(errno));
	snprintf(file, sizeof(file), "%s" LOCK_SUFFIX, name);
	e->lock_fd = lock_file(e->dir_fd, file, O_CREAT);
	if (e->lock_fd < 0) {
		if (errno != EAGAIN)
			report("control socket: cannot lock %s/%s: %s", dir, file, strerror(errno));
		entry_release(e);
		return -1;
	}
	len = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(e->lock_fd, 0) || write(e->lock_fd, pid, (size_t)len) != len) {
		report("control socket: cannot write %s/%s: %s", dir, file, strerror(errno));
		entry_release(e);
		return -1;
	}
	/* A predecessor's that crashed. */
	snprintf(file, sizeof(file), "%s.sock", name);
	(void)unlinkat(e->dir_fd, file, 0);
	return 0;
}

void entry_release(struct entry *e)
{
	if (!e->name)
		return;
	if (e->lock_fd >= 0) {
		remove_files(e->dir_fd, e->name);
		close(e->lock_fd);
	}
	if (e->dir_fd >= 0)
		close(e->dir_fd);
	e->dir_fd = -1;
	e->lock_fd = -1;
	e->name = NULL;
}

static bool in_use(int dir_fd, const char *name)
{
	char file[NAME_MAX_LEN + 16];
	int fd;

	snprintf(file, sizeof(file), "%s" LOCK_SUFFIX, name);
	fd = lock_file(dir_fd, file, 0);
	if (fd < 0)
		return errno == EAGAIN;
	remove_files(dir_fd, name);
	close(fd);
	return false;
}

bool entry_in_use(const char *name)
{
	char dir[ENTRY_PATH_MAX];
	int dir_fd = entry_dir(dir, sizeof(dir)) ? open_dir(dir) : -1;
	bool used;

	if (dir_fd < 0)
		return false;
	used = in_use(dir_fd, name);
	close(dir_fd);
	return used;
}

pid_t entry_pid(const char *name)
{
	char dir[ENTRY_PATH_MAX], file[NAME_MAX_LEN + 16], text[16] = "";
	int dir_fd, fd;
	pid_t pid = 0;

	if (!entry_name_valid(name) || !entry_in_use(name) || !entry_dir(dir, sizeof(dir)))
		return 0;
	dir_fd = open_dir(dir);
	if (dir_fd < 0)
		return 0;
	snprintf(file, sizeof(file), "%s" LOCK_SUFFIX, name);
	fd = openat(dir_fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0)
		pid = (pid_t)strtol(text, NULL, 10);
	if (fd >= 0)
		close(fd);
	close(dir_fd);
	return pid > 0 ? pid : 0;
}

static int is_lock(const struct dirent *d)
{
	size_t len = strlen(d->d_name), suffix = strlen(LOCK_SUFFIX);

	return len > suffix && !strcmp(d->d_name + len - suffix, LOCK_SUFFIX);
}

int entry_each(void (*fn)(void *opaque, const char *name), void *opaque)
{
	char dir[ENTRY_PATH_MAX];
	struct dirent **list;
	int n, i, count = 0, dir_fd;

	if (!entry_dir(dir, sizeof(dir)))
		return report("XDG_RUNTIME_DIR is not set, or too long: no machines can be found");
	dir_fd = open_dir(dir);
	if (dir_fd < 0 && errno == ENOENT)
		return 0;
	if (dir_fd < 0)
		return report("%s must be a folder that only you can write to: %s", dir,
			      strerror(errno));
	n = scandirat(dir_fd, ".", &list, is_lock, alphasort);
	for (i = 0; i < n; i++) {
		char *name = list[i]->d_name;

		name[strlen(name) - strlen(LOCK_SUFFIX)] = '\0';
		if (entry_name_valid(name) && in_use(dir_fd, name)) {
			fn(opaque, name);
			count++;
		}
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	close(dir_fd);
	return n < 0 ? report("cannot read %s", dir) : count;
}
