// SPDX-License-Identifier: GPL-2.0
/*
 * Owns what the fuzzers share: inputs as streams of choices, scratch files, silence.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "report.h"

size_t fuzz_bytes(struct fuzz_in *in, void *buf, size_t len)
{
	if (len > in->left)
		len = in->left;
	memcpy(buf, in->data, len);
	in->data += len;
	in->left -= len;
	return len;
}

u8 fuzz_u8(struct fuzz_in *in)
{
	u8 value = 0;

	fuzz_bytes(in, &value, sizeof(value));
	return value;
}

u16 fuzz_u16(struct fuzz_in *in)
{
	u16 value = 0;

	fuzz_bytes(in, &value, sizeof(value));
	return value;
}

u32 fuzz_u32(struct fuzz_in *in)
{
	u32 value = 0;

	fuzz_bytes(in, &value, sizeof(value));
	return value;
}

u64 fuzz_u64(struct fuzz_in *in)
{
	u64 value = 0;

	fuzz_bytes(in, &value, sizeof(value));
	return value;
}

void fuzz_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("fuzz: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	abort();
}

/* In place of the library's: millions of refusals are no news, but the text must format. */
int report(const char *fmt, ...)
{
	static __thread char text[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (getenv("FUZZ_VERBOSE"))
		fprintf(stderr, "mkvm: %s\n", text);
	return -1;
}

const char *fuzz_file(const char *name, const void *data, size_t size)
{
	static struct {
		const char *name;
		int fd;
		char path[32];
	} files[8];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files) && files[i].name; i++) {
		if (!strcmp(files[i].name, name))
			break;
	}
	if (i == ARRAY_SIZE(files))
		fuzz_fail("too many scratch files");
	if (!files[i].name) {
		files[i].name = name;
		files[i].fd = memfd_create(name, MFD_CLOEXEC);
		snprintf(files[i].path, sizeof(files[i].path), "/proc/self/fd/%d", files[i].fd);
	}
	if (files[i].fd < 0 || ftruncate(files[i].fd, 0) || ftruncate(files[i].fd, (off_t)size) ||
	    (data && pwrite(files[i].fd, data, size, 0) != (ssize_t)size))
		fuzz_fail("cannot write a scratch file");
	return files[i].path;
}
