// SPDX-License-Identifier: GPL-2.0
/*
 * Writes a file beside the one it replaces and renames it when all of it is there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inspect/save.h"
#include "report.h"

int save_open(struct save *s, const char *path)
{
	struct stat st;
	mode_t mask;
	int fd;

	*s = (struct save){ .path = path };
	if (!stat(path, &st) && !S_ISREG(st.st_mode)) {
		s->f = fopen(path, "we");
		return s->f ? 0 : report("cannot write %s: %s", path, strerror(errno));
	}
	if (asprintf(&s->temporary, "%s.XXXXXX", path) < 0) {
		s->temporary = NULL;
		return report("out of memory");
	}
	fd = mkostemp(s->temporary, O_CLOEXEC);
	if (fd >= 0) {
		mask = umask(0);
		umask(mask);
		(void)fchmod(fd, 0666 & ~mask);
		s->f = fdopen(fd, "w");
	}
	if (s->f)
		return 0;
	report("cannot write %s: %s", path, strerror(errno));
	if (fd >= 0) {
		close(fd);
		(void)unlink(s->temporary);
	}
	free(s->temporary);
	return -1;
}

int save_close(struct save *s, int failed)
{
	int err = ferror(s->f) ? EIO : 0;

	errno = 0;
	if (fclose(s->f) && !err)
		err = errno;
	if (!failed && !err && s->temporary && rename(s->temporary, s->path))
		err = errno;
	if (s->temporary && (failed || err))
		(void)unlink(s->temporary);
	free(s->temporary);
	s->temporary = NULL;
	s->f = NULL;
	if (failed)
		return -1;
	return err ? report("cannot write %s: %s", s->path, strerror(err)) : 0;
}
