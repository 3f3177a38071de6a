// SPDX-License-Identifier: GPL-2.0
/*
 * Checks an image: compares its refcounts and COPIED bits with the references that there are, and
 * repairs them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/qcow2_int.h"
#include "report.h"

#define MAX_REPORTS	100U	/* of each kind; the counters go on */

struct check {
	struct qcow2 *q;
	struct refs refs;
	struct block_check *result;
	bool quiet;
};

/* The first cluster from @cluster on that may have a reference or a refcount. */
static u64 next_cluster(const struct check *c, u64 cluster)
{
	const struct table *t = &c->q->reftable;
	u64 counted = qcow2_refs_next(&c->refs, cluster), block = cluster >> c->q->refblock_bits;

	if (counted == c->refs.end)
		counted = c->refs.nr;
	while (block < t->size && !t->entries[block])
		block++;
	if (block >= t->size)
		return counted;
	if (block << c->q->refblock_bits > cluster)
		cluster = block << c->q->refblock_bits;
	return cluster < counted ? cluster : counted;
}

static void compare_counts(struct check *c)
{
	struct qcow2 *q = c->q;
	u64 i, count;

	for (i = next_cluster(c, 0); i < c->refs.nr; i = next_cluster(c, i + 1)) {
		u64 refs = qcow2_refs_get(&c->refs, i);

		if (qcow2_refcount(q, i, &count)) {
			c->result->check_errors++;
			continue;
		}
		if (count || refs)
			c->result->image_end_offset = (i + 1) << q->cluster_bits;
		if (count < refs) {
			if (!c->quiet && c->result->corruptions < MAX_REPORTS)
				report("disk %s: ERROR: cluster %llu has refcount %llu and %llu references",
				       q->file->path, i, count, refs);
			c->result->corruptions++;
		} else if (count > refs) {
			if (!c->quiet && c->result->leaks < MAX_REPORTS)
				report("disk %s: leaked cluster %llu has refcount %llu and %llu references",
				       q->file->path, i, count, refs);
			c->result->leaks++;
		}
	}
}

/* An entry's COPIED bit must be set if and only if the refcount is 1. */
static void check_copied(struct check *c, u64 entry, const char *what)
{
	u64 count;

	if (qcow2_refcount(c->q, (entry & ENTRY_OFFSET) >> c->q->cluster_bits, &count)) {
		c->result->check_errors++;
		return;
	}
	if ((count == 1) == !!(entry & ENTRY_COPIED))
		return;
	if (!c->quiet && c->result->corruptions < MAX_REPORTS)
		report("disk %s: ERROR: COPIED bit of %s 0x%llx, refcount %llu",
		       c->q->file->path, what, entry, count);
	c->result->corruptions++;
}

static int compare_copied(struct check *c)
{
	struct qcow2 *q = c->q;
	u64 *l2 = qcow2_alloc_buffer(q->cluster_size);
	enum entry_kind kind;
	u32 i, n;

	if (!l2)
		return -ENOMEM;
	for (i = 0; i < q->l1.size; i++) {
		u64 entry = q->l1.entries[i], offset = entry & ENTRY_OFFSET;

		if (!offset || entry & L1_RESERVED || offset & (q->cluster_size - 1) ||
		    offset >> q->cluster_bits >= c->refs.nr)
			continue;
		check_copied(c, entry, "L1 entry");
		if (host_file_read(q->file, l2, q->cluster_size, offset)) {
			c->result->check_errors++;
			continue;
		}
		for (n = 0; n < q->cluster_size / sizeof(u64); n++) {
			entry = be64toh(l2[n]);
			if (!qcow2_entry_kind(q, entry, &kind) &&
			    (kind == ENTRY_DATA || kind == ENTRY_ALLOC_ZERO))
				check_copied(c, entry, "L2 entry");
		}
	}
	free(l2);
	return 0;
}

/* Both locks held, nothing dirty. Fills in a result that is zeroed. */
static int examine(struct qcow2 *q, struct block_check *result, bool quiet)
{
	struct check c = { .q = q, .result = result, .quiet = quiet };
	int ret = qcow2_refs_init(q, &c.refs, result);

	memset(result, 0, sizeof(*result));
	c.refs.report = !quiet;
	result->total_clusters = clusters_for(q, q->image_size);
	if (!ret)
		ret = qcow2_ref_all(q, &c.refs);
	if (!ret) {
		compare_counts(&c);
		ret = compare_copied(&c);
	}
	qcow2_refs_drop(&c.refs);
	return ret;
}

static int repair_image(struct qcow2 *q, unsigned int repair, struct block_check *result)
{
	struct new_state state = {
		.l1 = q->l1.entries, .l1_size = q->l1.size, .snapshots = q->snapshots,
		.nr_snapshots = q->nr_snapshots, .size = q->image_size,
		.repaired = true,
	};
	bool flagged = q->incompat & (INCOMPAT_DIRTY | INCOMPAT_CORRUPT);
	struct block_check after;
	int ret;

	/* Faults and leaks are repaired by the same means. */
	if (repair != BLOCK_REPAIR_ALL && (result->corruptions || flagged))
		return 0;
	if (!result->corruptions && !result->leaks && !flagged)
		return 0;
	ret = qcow2_switch(q, &state);
	if (!ret)
		ret = examine(q, &after, true);
	if (ret)
		return ret;
	after.corruptions_fixed = result->corruptions > after.corruptions ?
				  result->corruptions - after.corruptions : 0;
	after.leaks_fixed = result->leaks > after.leaks ? result->leaks - after.leaks : 0;
	*result = after;
	if ((after.corruptions || after.check_errors) && q->version >= 3) {
		q->incompat |= INCOMPAT_CORRUPT;
		q->corrupt = true;
		ret = qcow2_write_header(q);
	}
	return ret;
}

/*
 * What an image that was found damaged still had in memory is never written: not the tables, and
 * not the references dropped by them, which would be taken from the repaired refcounts later.
 */
static int take_what_the_file_has(struct qcow2 *q)
{
	qcow2_free_drop(q);
	return qcow2_load_tables(q);
}

int qcow2_check(struct block *blk, unsigned int repair, struct block_check *result)
{
	struct qcow2 *q = to_qcow2(blk);
	bool quiet = repair && !q->check_only;
	int ret;

	if (repair && blk->readonly)
		return -EROFS;
	ret = qcow2_begin_switch(q);
	if (ret)
		return ret;
	if (q->corrupt)
		ret = take_what_the_file_has(q);
	if (!ret)
		ret = examine(q, result, quiet);
	if (!ret && repair)
		ret = repair_image(q, repair, result);
	qcow2_end_switch(q);
	return ret;
}
