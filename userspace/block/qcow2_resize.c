// SPDX-License-Identifier: GPL-2.0
/*
 * Changes the size of the disk. The header's size changes last when it grows, when the new part
 * reads as zeroes, and when it shrinks, when the clusters of the old part are free.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/qcow2_int.h"

static int grow_l1(struct qcow2 *q, u64 size)
{
	u64 need = qcow2_l1_size(q, size);
	struct new_state state;
	u64 *l1;
	int ret;

	if (need <= q->l1.size)
		return 0;
	if (need > MAX_L1_BYTES / sizeof(u64))
		return -EFBIG;
	ret = qcow2_begin_switch(q);
	if (ret)
		return ret;
	state = (struct new_state){
		.l1_size = (u32)need, .snapshots = q->snapshots, .nr_snapshots = q->nr_snapshots,
		.size = q->image_size,
	};
	l1 = calloc(need, sizeof(u64));
	if (l1 && q->l1.size)
		memcpy(l1, q->l1.entries, table_bytes(&q->l1));
	state.l1 = l1;
	ret = l1 ? qcow2_switch(q, &state) : -ENOMEM;
	free(l1);
	qcow2_end_switch(q);
	return ret;
}

static int set_size(struct qcow2 *q, u64 size)
{
	u64 old;
	int ret;

	pthread_mutex_lock(&q->lock);
	old = q->image_size;
	q->image_size = size;
	ret = q->corrupt ? -EIO : qcow2_write_header(q);
	if (ret)
		q->image_size = old;
	pthread_mutex_unlock(&q->lock);
	return ret;
}

int qcow2_resize(struct block *blk, u64 size)
{
	struct qcow2 *q = to_qcow2(blk);
	u64 old = q->image_size;
	int ret = qcow2_prepare_change(q);

	if (ret)
		return ret;
	/* Version 2 does not say how large the disk of a snapshot was. */
	if (q->version < 3 && q->nr_snapshots)
		return -ENOTSUP;
	if (size > MAX_IMAGE_SIZE)
		return -EFBIG;
	if (size > old) {
		ret = grow_l1(q, size);
		if (!ret)
			ret = qcow2_zero_range(q, old, size - old, true);
	} else if (size < old) {
		u64 first = clusters_for(q, size) << q->cluster_bits;

		ret = first < old ? qcow2_discard(blk, first, old - first) : 0;
	}
	if (!ret)
		ret = qcow2_sync(q, true);
	return ret ? ret : set_size(q, size);
}
