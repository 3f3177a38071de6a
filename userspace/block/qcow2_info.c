// SPDX-License-Identifier: GPL-2.0
/*
 * What `mkvm img info` says of a qcow2 image, with qemu-img's key names.
 */
#include <errno.h>
#include <jansson.h>

#include "block/qcow2_int.h"

static json_t *describe(const struct qcow2 *q)
{
	json_t *data;

	if (q->version < 3)
		data = json_pack("{s:s, s:s, s:i}", "compat", "0.10", "compression-type", "zlib",
				 "refcount-bits", 16);
	else
		data = json_pack("{s:s, s:s, s:b, s:i, s:b, s:b}", "compat", "1.1",
				 "compression-type", q->compression ? "zstd" : "zlib",
				 "lazy-refcounts", !!(q->compat & COMPAT_LAZY_REFCOUNTS),
				 "refcount-bits", 1 << q->refcount_order,
				 "corrupt", !!(q->incompat & INCOMPAT_CORRUPT),
				 "extended-l2", 0);
	return json_pack("{s:s, s:o}", "type", "qcow2", "data", data);
}

static json_t *snapshot(const struct qcow2_snapshot *s)
{
	/* Names are any bytes; JSON is not. */
	json_t *id = json_string(s->id), *name = json_string(s->name);

	return json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:I}",
			 "id", id ? id : json_string("?"), "name", name ? name : json_string("?"),
			 "vm-state-size", (json_int_t)s->vm_state_size,
			 "date-sec", (json_int_t)s->seconds, "date-nsec", (json_int_t)s->nanoseconds,
			 "vm-clock-sec", (json_int_t)(s->vm_clock / 1000000000U),
			 "vm-clock-nsec", (json_int_t)(s->vm_clock % 1000000000U));
}

int qcow2_info(struct block *blk, json_t *object)
{
	struct qcow2 *q = to_qcow2(blk);
	json_t *list;
	unsigned int i;
	int bad = 0;

	bad |= json_object_set_new(object, "dirty-flag",
				   json_boolean(q->incompat & INCOMPAT_DIRTY));
	bad |= json_object_set_new(object, "format-specific", describe(q));
	if (!q->nr_snapshots)
		return bad ? -ENOMEM : 0;
	list = json_array();
	for (i = 0; i < q->nr_snapshots; i++)
		bad |= json_array_append_new(list, snapshot(&q->snapshots[i]));
	bad |= json_object_set_new(object, "snapshots", list);
	return bad ? -ENOMEM : 0;
}
