/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What an image format implements, and the one list of formats.
 */
#ifndef MKVM_BLOCK_FORMAT_H
#define MKVM_BLOCK_FORMAT_H

#include "block/block.h"

struct host_file;
struct json_t;

#define BLOCK_PROBE_SIZE	4096

/**
 * struct block_create - what `img create` asks for
 * @size: bytes, a multiple of SECTOR_SIZE
 * @backing_path: or NULL; as it is to be stored
 * @backing_format: its format, or NULL
 * @options: "key=value,..." of -o, or NULL; each format refuses keys that it does not know, by name
 */
struct block_create {
	u64 size;
	const char *backing_path;
	const char *backing_format;
	const char *options;
};

/**
 * struct block_check - result of a check, named as qemu-img names them
 */
struct block_check {
	u64 corruptions, leaks, check_errors, corruptions_fixed, leaks_fixed;
	u64 allocated_clusters, total_clusters, compressed_clusters, fragmented_clusters;
	u64 image_end_offset;
};

#define BLOCK_REPAIR_LEAKS	1u
#define BLOCK_REPAIR_ALL	3u

/**
 * struct block_format - a format
 * @name: as in format=NAME
 * @probe: do the first @len bytes of a file (up to BLOCK_PROBE_SIZE) show it? NULL: raw
 * @open: read the header of @file (locked; owned from now on, also on failure) and return a struct
 *	block, the first member of the format's own, zeroed but for @size, @cluster_size and what the format sets;
 *	the backing image is opened by the caller from @backing_path and @backing_format, which
 *	@open sets to malloc'ed strings (NULL before the call). NULL after a report
 * @create: write a new image: first check what was asked for, then host_file_empty() the file, then
 *	write. 0, or -1 after a report
 * @close: write what is pending, close @file and free
 * @readv, @writev: see block.h; ranges are checked, @nr is at most IOV_MAX. NULL @writev: the format
 *	is read-only here. @readv fills ranges that are BLOCK_ABSENT by block_read_backing()
 * @write_zeroes: NULL or -EOPNOTSUPP: zeroes are written
 * @discard: NULL: nothing happens
 * @write_compressed: NULL, or write one cluster compressed: @buf is @len bytes, a whole cluster or
 *	what is left at the end of the image; nothing was written there before (`img convert -c`)
 * @map: see block_map(); NULL: every transfer goes through @readv and @writev
 * @status: as @map for reading, but also knows of holes in the file; NULL: @map does
 * @hold, @release: NULL if @map is true for ever
 * @resize: NULL: cannot; @size is checked for sectors only. The image may be shrunk
 * @check: `img check`: report faults on stderr, repair what @repair allows. 0, or a negative errno:
 *	it could not be carried out. NULL: the format does not support checks
 * @info: add what is special to it to an object of `img info --output=json`: "format-specific",
 *	"snapshots", "dirty-flag", ... 0 or a negative errno. NULL: nothing
 *
 * Snapshots are in qcow2.h: no other format here has them.
 */
struct block_format {
	const char *name;
	bool (*probe)(const void *head, size_t len);
	struct block *(*open)(struct host_file *file, const struct block_options *opts,
			      char **backing_path, char **backing_format);
	int (*create)(struct host_file *file, const struct block_create *create);
	void (*close)(struct block *blk);
	int (*readv)(struct block *blk, const struct iovec *iov, unsigned int nr, u64 offset);
	int (*writev)(struct block *blk, const struct iovec *iov, unsigned int nr, u64 offset);
	int (*write_zeroes)(struct block *blk, u64 offset, u64 len, bool unmap);
	int (*discard)(struct block *blk, u64 offset, u64 len);
	int (*write_compressed)(struct block *blk, const void *buf, size_t len, u64 offset);
	int (*flush)(struct block *blk);
	int (*map)(struct block *blk, u64 offset, u64 len, bool write, struct block_extent *ext);
	int (*status)(struct block *blk, u64 offset, u64 len, struct block_extent *ext);
	void (*hold)(struct block *blk);
	void (*release)(struct block *blk);
	int (*resize)(struct block *blk, u64 size);
	int (*check)(struct block *blk, unsigned int repair, struct block_check *result);
	int (*info)(struct block *blk, struct json_t *object);
};

extern const struct block_format block_raw, block_qcow2, block_vdi, block_vmdk, block_vhd;

/** block_formats - all of them, in the order they are probed; ends with raw, then NULL */
extern const struct block_format *const block_formats[];

/** block_find_format() - the format of that name; NULL after a report that starts with @what */
const struct block_format *block_find_format(const char *what, const char *name);

/**
 * block_create() - make a new image
 * @path: a new file, an old one that is overwritten unless somebody uses it, or a block device
 * @format: its format
 * @create: see above
 *
 * A file that was not there before is not there after a failure, either.
 *
 * Return: 0, or -1 after a report.
 */
int block_create(const char *path, const struct block_format *format,
		 const struct block_create *create);

/**
 * block_read_backing() - what a format does for a range that is not in the image
 *
 * The backing image's bytes; zeroes behind its end or if there is none. 0 or a negative errno.
 */
int block_read_backing(struct block *blk, const struct iovec *iov, unsigned int nr, u64 offset);

/**
 * typedef block_look_up_fn - what an image has from @offset on, at most @len bytes of it
 *
 * Sets @ext to BLOCK_DATA, which lie in @file, or BLOCK_ZERO. 0 or a negative errno.
 */
typedef int block_look_up_fn(struct block *blk, u64 offset, u64 len, struct block_extent *ext,
			     struct host_file **file);

/** block_read_extents() - @readv of a format that only looks up where its bytes are */
int block_read_extents(struct block *blk, const struct iovec *iov, unsigned int nr, u64 offset,
		       block_look_up_fn *look_up);

/**
 * block_backing_path() - where a backing image is
 * @path: the image that names it
 * @stored: by which name
 *
 * Return: the path to open, for free(); NULL after a report: out of memory, or no file at all.
 */
char *block_backing_path(const char *path, const char *stored);

#endif
