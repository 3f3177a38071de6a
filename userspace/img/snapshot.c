// SPDX-License-Identifier: GPL-2.0
/*
 * `mkvm img snapshot`: internal snapshots: list, take, go back to, delete.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "block/qcow2.h"
#include "img/img.h"
#include "report.h"

static const struct option options[] = {
	IMG_COMMON_OPTIONS,
	{ NULL, 0, NULL, 0 },
};

static void list(struct block *blk)
{
	const struct qcow2_snapshot *s;
	unsigned int nr = qcow2_snapshots(blk, &s), i;

	if (!nr)
		return;
	puts("Snapshot list:");
	img_snapshot_header();
	for (i = 0; i < nr; i++) {
		struct img_snapshot_line line = {
			.id = s[i].id, .name = s[i].name, .vm_state_size = s[i].vm_state_size,
			.seconds = s[i].seconds, .vm_clock = s[i].vm_clock,
		};

		img_snapshot_print(&line);
	}
}

static int act(struct block *blk, int action, const char *name)
{
	static const struct {
		int action;
		const char *verb;
		int (*fn)(struct block *blk, const char *name);
	} actions[] = {
		{ 'c', "take", qcow2_snapshot_create }, { 'a', "apply", qcow2_snapshot_apply },
		{ 'd', "delete", qcow2_snapshot_delete },
	};
	size_t i;
	int err = -EINVAL;

	if (blk->format != &block_qcow2)
		return report("disk %s: %s images have no snapshots; qcow2 has", blk->path,
			      blk->format->name);
	if (action == 'l') {
		list(blk);
		return 0;
	}
	for (i = 0; i < ARRAY_SIZE(actions); i++) {
		if (actions[i].action == action)
			break;
	}
	if (i < ARRAY_SIZE(actions))
		err = actions[i].fn(blk, name);
	if (!err)
		err = block_flush(blk);
	if (err == -ENOENT)
		return report("disk %s: has no snapshot '%s'", blk->path, name);
	return err ? report("disk %s: cannot %s snapshot '%s': %s", blk->path, actions[i].verb,
			    name, strerror(-err)) : 0;
}

int img_snapshot(int argc, char **argv)
{
	struct img_common common = { .quiet = false };
	const char *name = NULL;
	int id, action = 0, ret;
	struct block *blk;

	while ((id = img_getopt(argc, argv, ":hf:qUlc:a:d:", options, &common)) != -1) {
		switch (id) {
		case 'l':
		case 'c':
		case 'a':
		case 'd':
			if (action)
				return -report("img snapshot: one of -l, -c, -a and -d, not two");
			action = id;
			name = optarg;
			break;
		case 'h':
			return 0;
		default:
			return EXIT_ERROR;
		}
	}
	if (img_files(argc, argv, 1, 1, "FILE"))
		return EXIT_ERROR;
	if (!action)
		action = 'l';
	if (action != 'l' && common.shared_ok)
		return -report("img snapshot: -U only with -l");
	blk = img_open(argv[optind], common.format, action == 'l', common.shared_ok);
	if (!blk)
		return EXIT_ERROR;
	ret = act(blk, action, name);
	block_close(blk);
	return ret ? EXIT_ERROR : 0;
}
