// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the cost of each class of exit, which the program exit_bench measures on a device.
 */
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <errno.h>

#include "compare/child.h"
#include "compare/compare.h"
#include "compare/result.h"
#include "compare/rows.h"
#include "report.h"

struct run {
	struct samples *s;
	bool failed;
};

static void take_line(void *opaque, char *line)
{
	struct run *r = opaque;

	if (samples_line(r->s, line))
		r->failed = true;
}

/* Reads until its end; false if it was told to stop or took too long. */
static bool read_all(struct child *child, u64 timeout, struct run *r)
{
	time_t end = time(NULL) + (time_t)timeout;
	struct pollfd fd = { .fd = child->out, .events = POLLIN };

	for (;;) {
		if (compare_stop || time(NULL) > end || (poll(&fd, 1, 1000) < 0 && errno != EINTR))
			return false;
		if (fd.revents && !child_read(child, take_line, r))
			return true;
		fd.revents = 0;
	}
}

static int run_once(const struct compare *c, const struct column *col, const char *program,
		    struct samples *s)
{
	struct run r = { .s = s };
	struct child child;
	unsigned int i;
	bool ended;
	int status = 0;

	child_init(&child);
	child_arg(&child, "env");
	child_arg(&child, "DEV=%s", col->device);
	child_arg(&child, "%s", program);
	for (i = 0; i < c->nr_names; i++)
		child_arg(&child, "%s", c->names[i]);
	if (child_start(&child, NULL)) {
		child_free(&child);
		return -1;
	}
	ended = read_all(&child, c->timeout, &r);
	if (ended)
		status = child_wait(&child);
	else
		child_kill(&child);
	if (!ended || status || r.failed) {
		report("compare: %s: exit_bench %s", col->title,
		       compare_stop ? "was interrupted" :
		       !ended	    ? "took too long (--timeout)" :
		       status	    ? "failed" :
				      "printed a line that is no samples");
		child_print_tail(&child);
	}
	child_free(&child);
	return !ended || status || r.failed ? -1 : 0;
}

int measure_exits(const struct compare *c, const struct column *col, json_t *host)
{
	char *program = bench_program("exit_bench");
	struct samples s = { .n = 0 };
	int ret = program ? 0 : -1;
	u64 i;

	for (i = 0; !ret && i < c->repeat; i++)
		ret = run_once(c, col, program, &s);
	rows_publish(host, col->id, &s);
	if (ret)
		result_note(host, "%s: not all exits could be measured", col->title);
	free(program);
	return ret;
}
