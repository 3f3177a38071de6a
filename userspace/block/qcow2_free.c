// SPDX-License-Identifier: GPL-2.0
/*
 * References to host clusters that are gone, and when their refcounts may say so: after the entry
 * that referred to them has changed on stable storage, and when nobody can still be transferring
 * to or from the cluster through the old mapping.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/qcow2_int.h"

static int reserve(struct free_list *list, size_t more)
{
	size_t room = list->room ? list->room : 16;
	struct free_run *runs;

	while (room < list->nr + more)
		room *= 2;
	if (room == list->room)
		return 0;
	runs = realloc(list->runs, room * sizeof(*runs));
	if (!runs)
		return -ENOMEM;
	list->runs = runs;
	list->room = room;
	return 0;
}

int qcow2_reserve_free(struct qcow2 *q, size_t runs)
{
	return reserve(&q->pending, runs);
}

void qcow2_free(struct qcow2 *q, u64 first, u64 clusters, bool punch)
{
	struct free_list *list = &q->pending;
	struct free_run *last = list->nr ? &list->runs[list->nr - 1] : NULL;

	if (last && last->first + last->clusters == first && last->punch == punch) {
		last->clusters += clusters;
		return;
	}
	/* Without room, which the caller has reserved, they would leak: no harm is done. */
	if (list->nr < list->room)
		list->runs[list->nr++] = (struct free_run){ first, clusters, punch };
}

int qcow2_free_merge(struct free_list *to, struct free_list *from)
{
	int ret;

	if (!from->nr)
		return 0;
	ret = reserve(to, from->nr);
	if (ret)
		return ret;
	memcpy(to->runs + to->nr, from->runs, from->nr * sizeof(*from->runs));
	to->nr += from->nr;
	from->nr = 0;
	return 0;
}

/* One reference less; what is left of a run of free clusters goes back to the host. */
static void drop_run(struct qcow2 *q, const struct free_run *run)
{
	u64 i, count, free_from = 0, nr_free = 0;

	for (i = 0; i < run->clusters; i++) {
		u64 cluster = run->first + i;

		/* A count that cannot be read or is 0 already: leave it to a check. */
		if (qcow2_refcount(q, cluster, &count) || !count ||
		    qcow2_set_refcount(q, cluster, count - 1) || count > 1)
			continue;
		if (nr_free && free_from + nr_free != cluster) {
			if (run->punch)
				(void)host_file_punch(q->file, free_from << q->cluster_bits,
						      nr_free << q->cluster_bits);
			nr_free = 0;
		}
		if (!nr_free++)
			free_from = cluster;
	}
	if (nr_free && run->punch)
		(void)host_file_punch(q->file, free_from << q->cluster_bits,
				      nr_free << q->cluster_bits);
}

void qcow2_free_ripe(struct qcow2 *q)
{
	size_t i;

	if (!q->ripe.nr || (q->users && q->idle_seq == q->ripe_seq))
		return;
	for (i = 0; i < q->ripe.nr; i++)
		drop_run(q, &q->ripe.runs[i]);
	q->ripe.nr = 0;
}

void qcow2_free_drop(struct qcow2 *q)
{
	free(q->pending.runs);
	free(q->flushing.runs);
	free(q->ripe.runs);
	memset(&q->pending, 0, sizeof(q->pending));
	memset(&q->flushing, 0, sizeof(q->flushing));
	memset(&q->ripe, 0, sizeof(q->ripe));
}
