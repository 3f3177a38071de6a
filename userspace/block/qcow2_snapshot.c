// SPDX-License-Identifier: GPL-2.0
/*
 * Internal snapshots: the table of them in the file, making, applying and deleting one.
 *
 * qcow2 specification, "Snapshots". A snapshot is an L1 table of its own whose L2 tables and
 * clusters have one reference more; the references are counted anew and written by
 * qcow2_switch().
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "block/qcow2_int.h"

#define ENTRY_SIZE	40U	/* without extra data, ID and name */
#define OUR_EXTRA	16U	/* size of the VM state, size of the disk */

static u16 get_be16(const u8 *p)
{
	return (u16)(p[0] << 8 | p[1]);
}

void qcow2_drop_snapshots(struct qcow2_snapshot *list, unsigned int nr)
{
	unsigned int i;

	for (i = 0; list && i < nr; i++) {
		free(list[i].id);
		free(list[i].name);
		free(list[i].extra);
	}
	free(list);
}

/* What follows the fixed part of an entry. */
static int load_rest(struct qcow2 *q, struct qcow2_snapshot *s, const u8 *fixed, u64 offset)
{
	u16 id = get_be16(fixed + 12), name = get_be16(fixed + 14);
	int ret;

	s->extra_size = get_be32(fixed + 36);
	if (s->extra_size > MAX_SNAPSHOT_EXTRA)
		return -EFBIG;
	s->extra = malloc(s->extra_size + 1);
	s->id = calloc(1, id + 1U);
	s->name = calloc(1, name + 1U);
	if (!s->extra || !s->id || !s->name)
		return -ENOMEM;
	ret = s->extra_size ? host_file_read(q->file, s->extra, s->extra_size, offset) : 0;
	offset += s->extra_size;
	if (!ret && id)
		ret = host_file_read(q->file, s->id, id, offset);
	if (!ret && name)
		ret = host_file_read(q->file, s->name, name, offset + id);
	if (!ret && s->extra_size >= 8)
		s->vm_state_size = get_be64(s->extra);
	s->disk_size = !ret && s->extra_size >= OUR_EXTRA ? get_be64(s->extra + 8) :
							     q->image_size;
	return ret;
}

static int load_one(struct qcow2 *q, struct qcow2_snapshot *s, u64 *offset)
{
	u8 fixed[ENTRY_SIZE];
	u64 bytes, len;
	int ret = host_file_read(q->file, fixed, sizeof(fixed), *offset);

	if (ret)
		return ret;
	s->l1_offset = get_be64(fixed);
	s->l1_size = get_be32(fixed + 8);
	s->seconds = get_be32(fixed + 16);
	s->nanoseconds = get_be32(fixed + 20);
	s->vm_clock = get_be64(fixed + 24);
	s->vm_state_size = get_be32(fixed + 32);
	bytes = s->l1_size * sizeof(u64);
	if (s->l1_offset & (q->cluster_size - 1) || bytes > MAX_L1_BYTES ||
	    s->l1_offset > q->file_size || bytes > q->file_size - s->l1_offset)
		return -EIO;
	ret = load_rest(q, s, fixed, *offset + ENTRY_SIZE);
	len = ENTRY_SIZE + (u64)s->extra_size + get_be16(fixed + 12) + get_be16(fixed + 14);
	*offset += (len + 7) & ~7ULL;
	return ret;
}

int qcow2_load_snapshots(struct qcow2 *q)
{
	unsigned int nr = q->nr_snapshots, i;
	u64 offset = q->snapshots_offset;
	struct qcow2_snapshot *list;
	int ret = 0;

	qcow2_drop_snapshots(q->snapshots, nr);
	q->snapshots = NULL;
	q->snapshots_bytes = 0;
	q->nr_snapshots = 0;
	/* As many as the file could hold. */
	if (nr > (q->file_size - (nr ? offset : 0)) / ENTRY_SIZE)
		return -EIO;
	list = calloc(nr ? nr : 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (i = 0; !ret && i < nr; i++) {
		ret = load_one(q, &list[i], &offset);
		if (!ret && offset - q->snapshots_offset > MAX_SNAPSHOT_BYTES)
			ret = -EFBIG;
	}
	if (ret) {
		qcow2_drop_snapshots(list, nr);
		return ret;
	}
	q->snapshots = list;
	q->nr_snapshots = nr;
	q->snapshots_bytes = nr ? offset - q->snapshots_offset : 0;
	return 0;
}

static u64 packed_size(const struct qcow2_snapshot *s)
{
	u64 extra = s->extra_size > OUR_EXTRA ? s->extra_size : OUR_EXTRA;

	return (ENTRY_SIZE + extra + strlen(s->id) + strlen(s->name) + 7) & ~7ULL;
}

u8 *qcow2_pack_snapshots(const struct qcow2_snapshot *list, unsigned int nr, u64 *len)
{
	unsigned int i;
	u8 *table, *p;

	*len = 0;
	for (i = 0; i < nr; i++)
		*len += packed_size(&list[i]);
	if (*len > MAX_SNAPSHOT_BYTES)
		return NULL;
	table = calloc(1, *len);
	for (i = 0, p = table; table && i < nr; i++) {
		const struct qcow2_snapshot *s = &list[i];
		size_t id = strlen(s->id), name = strlen(s->name);
		u32 extra = s->extra_size > OUR_EXTRA ? s->extra_size : OUR_EXTRA;

		put_be64(p, s->l1_offset);
		put_be32(p + 8, s->l1_size);
		put_be32(p + 12, (u32)id << 16 | (u32)name);
		put_be32(p + 16, s->seconds);
		put_be32(p + 20, s->nanoseconds);
		put_be64(p + 24, s->vm_clock);
		put_be32(p + 32, s->vm_state_size > UINT32_MAX ? 0 : (u32)s->vm_state_size);
		put_be32(p + 36, extra);
		if (s->extra_size)
			memcpy(p + ENTRY_SIZE, s->extra, s->extra_size);
		put_be64(p + ENTRY_SIZE, s->vm_state_size);
		put_be64(p + ENTRY_SIZE + 8, s->disk_size);
		memcpy(p + ENTRY_SIZE + extra, s->id, id);
		memcpy(p + ENTRY_SIZE + extra + id, s->name, name);
		p += packed_size(s);
	}
	return table;
}

unsigned int qcow2_snapshots(struct block *blk, const struct qcow2_snapshot **list)
{
	*list = to_qcow2(blk)->snapshots;
	return to_qcow2(blk)->nr_snapshots;
}

static int find(const struct qcow2 *q, const char *which, unsigned int *index)
{
	for (*index = 0; *index < q->nr_snapshots; ++*index) {
		if (!strcmp(q->snapshots[*index].id, which))
			return 0;
	}
	for (*index = 0; *index < q->nr_snapshots; ++*index) {
		if (!strcmp(q->snapshots[*index].name, which))
			return 0;
	}
	return -ENOENT;
}

static int begin(struct block *blk)
{
	int ret;

	if (blk->readonly)
		return -EROFS;
	ret = qcow2_prepare_change(to_qcow2(blk));
	return ret ? ret : qcow2_begin_switch(to_qcow2(blk));
}

static struct new_state present(const struct qcow2 *q)
{
	return (struct new_state){
		.l1 = q->l1.entries, .l1_size = q->l1.size, .snapshots = q->snapshots,
		.nr_snapshots = q->nr_snapshots, .size = q->image_size,
	};
}

/* One more than the largest decimal ID. */
static void new_id(const struct qcow2 *q, char *id, size_t size)
{
	unsigned long long largest = 0;
	unsigned int i;

	for (i = 0; i < q->nr_snapshots; i++) {
		char *end;
		unsigned long long n = strtoull(q->snapshots[i].id, &end, 10);

		if (!*end && n > largest && n < UINT64_MAX)
			largest = n;
	}
	snprintf(id, size, "%llu", largest + 1);
}

int qcow2_snapshot_create(struct block *blk, const char *name)
{
	struct qcow2 *q = to_qcow2(blk);
	struct qcow2_snapshot *list;
	struct new_state state;
	struct timespec now;
	char id[24];
	int ret;

	if (!*name || strlen(name) > UINT16_MAX)
		return -EINVAL;
	ret = begin(blk);
	if (ret)
		return ret;
	state = present(q);
	list = calloc(q->nr_snapshots + 1, sizeof(*list));
	if (!list || q->nr_snapshots == MAX_SNAPSHOTS) {
		ret = list ? -EFBIG : -ENOMEM;
		goto out;
	}
	if (q->nr_snapshots)
		memcpy(list, q->snapshots, q->nr_snapshots * sizeof(*list));
	new_id(q, id, sizeof(id));
	clock_gettime(CLOCK_REALTIME, &now);
	/* It takes over the L1 table; the active one is written anew. */
	list[q->nr_snapshots] = (struct qcow2_snapshot){
		.id = id, .name = (char *)(uintptr_t)name, .disk_size = q->image_size,
		.seconds = (u32)now.tv_sec, .nanoseconds = (u32)now.tv_nsec,
		.l1_offset = q->l1.offset, .l1_size = q->l1.size,
	};
	state.snapshots = list;
	state.nr_snapshots++;
	ret = qcow2_switch(q, &state);
out:
	free(list);
	qcow2_end_switch(q);
	return ret;
}

int qcow2_snapshot_apply(struct block *blk, const char *which)
{
	struct qcow2 *q = to_qcow2(blk);
	const struct qcow2_snapshot *s;
	u64 *l1 = NULL, *larger, need;
	struct new_state state;
	unsigned int index;
	int ret = begin(blk);

	if (ret)
		return ret;
	ret = find(q, which, &index);
	if (ret)
		goto out;
	s = &q->snapshots[index];
	state = present(q);
	state.size = s->disk_size;
	need = qcow2_l1_size(q, s->disk_size);
	if (need < s->l1_size)
		need = s->l1_size;
	if (need > MAX_L1_BYTES / sizeof(u64) || s->disk_size > MAX_IMAGE_SIZE) {
		ret = -EFBIG;
		goto out;
	}
	l1 = qcow2_read_l1(q, s->l1_offset, s->l1_size, &ret);
	if (ret)
		goto out;
	larger = realloc(l1, (need ? need : 1) * sizeof(u64));
	if (!larger) {
		ret = -ENOMEM;
		goto out;
	}
	l1 = larger;
	memset(l1 + s->l1_size, 0, (need - s->l1_size) * sizeof(u64));
	state.l1 = l1;
	state.l1_size = (u32)need;
	ret = qcow2_switch(q, &state);
out:
	free(l1);
	qcow2_end_switch(q);
	return ret;
}

int qcow2_snapshot_delete(struct block *blk, const char *which)
{
	struct qcow2 *q = to_qcow2(blk);
	struct qcow2_snapshot *list;
	struct new_state state;
	unsigned int index;
	int ret = begin(blk);

	if (ret)
		return ret;
	ret = find(q, which, &index);
	if (ret)
		goto out;
	list = calloc(q->nr_snapshots, sizeof(*list));
	if (!list) {
		ret = -ENOMEM;
		goto out;
	}
	memcpy(list, q->snapshots, index * sizeof(*list));
	memcpy(list + index, q->snapshots + index + 1,
	       (q->nr_snapshots - index - 1) * sizeof(*list));
	state = present(q);
	state.snapshots = list;
	state.nr_snapshots--;
	ret = qcow2_switch(q, &state);
	free(list);
out:
	qcow2_end_switch(q);
	return ret;
}
