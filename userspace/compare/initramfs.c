// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the making of an initramfs: our init and the modules for virtio-blk and virtio-net.
 *
 * Source: Linux Documentation/driver-api/early-userspace/buffer-format.rst.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compare/initramfs.h"
#include "report.h"

#define MAX_MODULES    64
#define HEADER_MAGIC   0x202
#define VERSION_OFFSET 0x20e
#define SETUP_SIZE     0x200

static void pad(FILE *f, size_t size)
{
	static const char zero[4];

	fwrite(zero, 1, -size & 3, f);
}

void initramfs_entry(FILE *f, const char *name, unsigned int mode, const void *data, size_t size)
{
	static unsigned int inode = 1;
	size_t len = strlen(name) + 1;

	/* magic, ino, mode, uid, gid, nlink, mtime, filesize, devices, namesize, check */
	fprintf(f, "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x", inode++, mode, 0,
		0, 1, 0, size, 0, 0, 0, 0, len, 0);
	fwrite(name, 1, len, f);
	pad(f, 110 + len);
	if (size)
		fwrite(data, 1, size, f);
	pad(f, size);
}

static int add_file(FILE *f, const char *name, const char *path, unsigned int mode)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *map;

	if (fd < 0 || fstat(fd, &st))
		return report("%s: %s", path, strerror(errno));
	map = st.st_size > 0 ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) :
			       MAP_FAILED;
	close(fd);
	if (map == MAP_FAILED)
		return report("%s: empty, or no file", path);
	initramfs_entry(f, name, mode, map, (size_t)st.st_size);
	munmap(map, (size_t)st.st_size);
	return 0;
}

int initramfs_release(char *release, size_t size, const char *kernel)
{
	int fd = open(kernel, O_RDONLY | O_CLOEXEC);
	char magic[4], text[128];
	ssize_t n = -1;
	u16 at = 0;

	if (fd < 0)
		return report("%s: %s", kernel, strerror(errno));
	if (pread(fd, magic, 4, HEADER_MAGIC) == 4 && !memcmp(magic, "HdrS", 4) &&
	    pread(fd, &at, 2, VERSION_OFFSET) == 2 && at)
		n = pread(fd, text, sizeof(text) - 1, at + SETUP_SIZE);
	close(fd);
	if (n < 0)
		return report("%s: not a bzImage that tells its release; give its modules with "
			      "--modules",
			      kernel);
	text[n] = '\0';
	text[strcspn(text, " ")] = '\0';
	if (!*text || strchr(text, '/') || strlen(text) >= size)
		return report("%s: the release it tells is damaged", kernel);
	strcpy(release, text);
	return 0;
}

/* The base name of a module's file: "virtio_net" of "kernel/drivers/net/virtio_net.ko.xz". */
static bool is_module(const char *file, size_t len, const char *name)
{
	const char *base = memrchr(file, '/', len);
	size_t n = strlen(name), i;

	base = base ? base + 1 : file;
	len -= (size_t)(base - file);
	if (len < n + 3 || memcmp(base + n, ".ko", 3))
		return false;
	for (i = 0; i < n; i++) {
		if ((base[i] == '-' ? '_' : base[i]) != name[i])
			return false;
	}
	return true;
}

/**
 * struct closure - modules to load, each once
 * @file: relative to the folder
 * @n: how many
 */
struct closure {
	char *file[MAX_MODULES];
	unsigned int n;
};

static int add_module(struct closure *c, const char *file, size_t len)
{
	unsigned int i;

	for (i = 0; i < c->n; i++) {
		if (strlen(c->file[i]) == len && !memcmp(c->file[i], file, len))
			return 0;
	}
	if (c->n == MAX_MODULES)
		return report("compare: the virtio drivers need too many modules");
	c->file[c->n] = strndup(file, len);
	return c->file[c->n++] ? 0 : report("out of memory");
}

/* Of "FILE: DEP DEP...", where each needs those behind it, all from the last to the first. */
static int add_line(struct closure *c, const char *line, size_t file_len)
{
	const char *end = line + strcspn(line, "\n"), *word;

	while (end > line + file_len + 1) {
		while (end > line && end[-1] == ' ')
			end--;
		for (word = end; word[-1] != ' ' && word[-1] != ':'; word--)
			;
		if (word == end)
			break;
		if (add_module(c, word, (size_t)(end - word)))
			return -1;
		end = word;
	}
	return add_module(c, line, file_len);
}

static int find_modules(struct closure *c, const char *dir)
{
	static const char *const wanted[] = { "virtio_pci", "virtio_blk", "virtio_net" };
	char path[PATH_MAX], *line = NULL, *colon;
	size_t size = 0, i;
	FILE *f;
	int ret = 0;

	snprintf(path, sizeof(path), "%s/modules.dep", dir);
	f = fopen(path, "re");
	if (!f)
		return report("%s: %s; --modules names the folder of the guest kernel's modules",
			      path, strerror(errno));
	while (!ret && getline(&line, &size, f) > 0) {
		colon = strchr(line, ':');
		for (i = 0; colon && !ret && i < ARRAY_SIZE(wanted); i++) {
			if (is_module(line, (size_t)(colon - line), wanted[i]))
				ret = add_line(c, line, (size_t)(colon - line));
		}
	}
	free(line);
	fclose(f);
	return ret;
}

static int add_modules(FILE *f, const struct closure *c, const char *dir)
{
	char path[PATH_MAX], name[64];
	unsigned int i;

	for (i = 0; i < c->n; i++) {
		if (snprintf(path, sizeof(path), "%s/%s", dir, c->file[i]) >= (int)sizeof(path))
			return report("%s: too long a path", dir);
		snprintf(name, sizeof(name), "modules/%u.ko", i);
		if (add_file(f, name, path, S_IFREG | 0644))
			return -1;
	}
	return 0;
}

int initramfs_make(const char *path, const char *init, const char *modules_dir)
{
	struct closure c = { .n = 0 };
	unsigned int i;
	FILE *f;
	int ret;

	ret = find_modules(&c, modules_dir);
	f = ret ? NULL : fopen(path, "we");
	if (!ret && !f)
		ret = report("%s: %s", path, strerror(errno));
	if (!ret) {
		initramfs_entry(f, "dev", S_IFDIR | 0755, NULL, 0);
		initramfs_entry(f, "proc", S_IFDIR | 0755, NULL, 0);
		initramfs_entry(f, "modules", S_IFDIR | 0755, NULL, 0);
		ret = add_file(f, "init", init, S_IFREG | 0755);
	}
	if (!ret)
		ret = add_modules(f, &c, modules_dir);
	if (f) {
		initramfs_entry(f, "TRAILER!!!", 0, NULL, 0);
		if ((fflush(f) || ferror(f)) && !ret)
			ret = report("%s: %s", path, strerror(errno));
		fclose(f);
	}
	for (i = 0; i < c.n; i++)
		free(c.file[i]);
	return ret;
}
