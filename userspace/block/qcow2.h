/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What qcow2 images offer beyond struct block_format: internal snapshots, for `mkvm img`.
 */
#ifndef MKVM_BLOCK_QCOW2_H
#define MKVM_BLOCK_QCOW2_H

#include "block/block.h"

/**
 * struct qcow2_snapshot - an internal snapshot
 * @id: unique in the image; decimal numbers where this program made them
 * @name: what the user called it
 * @disk_size: bytes of the disk when it was taken
 * @vm_state_size: bytes of a machine's state that another program stored with it
 * @seconds: when it was taken, since the Epoch
 * @nanoseconds: and the rest
 * @vm_clock: nanoseconds that the guest had run
 */
struct qcow2_snapshot {
	char *id;
	char *name;
	u64 disk_size;
	u64 vm_state_size;
	u32 seconds;
	u32 nanoseconds;
	u64 vm_clock;
	/* Where it lies in the file. */
	u64 l1_offset;
	u32 l1_size;
	u32 extra_size;
	u8 *extra;
};

/**
 * qcow2_snapshots() - the snapshots of an image
 * @blk: a qcow2 image
 * @list: the first of them; the image's, valid until a snapshot is made or deleted
 *
 * Return: how many.
 */
unsigned int qcow2_snapshots(struct block *blk, const struct qcow2_snapshot **list);

/*
 * Each of these waits until no other operation is under way and changes the image by one write
 * of its header: killed at any moment it is done or not begun. The caller must not hold mappings
 * (block_hold()). @which is an ID or a name; IDs are looked at first. 0 or a negative errno:
 * -ENOENT no such snapshot, -EINVAL an empty name or one over 65535 bytes, -EFBIG too many
 * snapshots, -ERANGE the image's refcounts are too narrow, -ENOTSUP version 2 and a snapshot of
 * another size, -EROFS.
 */
int qcow2_snapshot_create(struct block *blk, const char *name);
int qcow2_snapshot_apply(struct block *blk, const char *which);
int qcow2_snapshot_delete(struct block *blk, const char *which);

#endif
