// SPDX-License-Identifier: GPL-2.0
/*
 * Writes trace event JSON and folded stacks. See trace_json.h.
 */
#include <stdlib.h>
#include <string.h>

#include "inspect/trace_json.h"

#define NS_OF_US	1000u
#define KERNEL_HALF	BIT_ULL(63)

/* ---- JSON ------------------------------------------------------------------------------------ */

/* Threads and symbols have any names: what is no printable ASCII is escaped. */
static void put_string(FILE *f, const char *text)
{
	const unsigned char *p;

	putc('"', f);
	for (p = (const unsigned char *)text; *p; p++) {
		if (*p == '"' || *p == '\\')
			fprintf(f, "\\%c", *p);
		else if (*p < 0x20 || *p >= 0x7f)
			fprintf(f, "\\u%04x", *p);
		else
			putc(*p, f);
	}
	putc('"', f);
}

static void next_event(struct trace_json *j)
{
	fputs(j->any ? ",\n" : "\n", j->f);
	j->any = true;
}

static void put_time(struct trace_json *j, const char *key, u64 ns)
{
	fprintf(j->f, ",\"%s\":%llu.%03llu", key, (unsigned long long)ns / NS_OF_US,
		(unsigned long long)ns % NS_OF_US);
}

static void put_metadata(struct trace_json *j, const char *what, pid_t tid, const char *name)
{
	next_event(j);
	fprintf(j->f, "{\"ph\":\"M\",\"name\":\"%s\",\"pid\":%d,\"tid\":%d,\"args\":{\"name\":",
		what, (int)j->pid, (int)tid);
	put_string(j->f, name);
	fputs("}}", j->f);
}

void trace_json_begin(struct trace_json *j, const char *process)
{
	fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[", j->f);
	put_metadata(j, "process_name", j->pid, process);
}

static void put_args(struct trace_json *j, const struct trace_slice *s)
{
	const char *name, *separator = "";
	unsigned int i;

	fputs(",\"args\":{", j->f);
	for (i = 0; i < s->nr_args; i++) {
		const struct trace_arg *arg = &s->arg[i];

		fputs(separator, j->f);
		put_string(j->f, arg->key);
		putc(':', j->f);
		if (arg->kind == TRACE_ARG_TEXT)
			put_string(j->f, arg->text);
		else if (arg->kind == TRACE_ARG_HEX)
			fprintf(j->f, "\"0x%llx\"", (unsigned long long)arg->value);
		else
			fprintf(j->f, "%lld", (long long)arg->value);
		separator = ",";
	}
	if (s->has_rip) {
		fprintf(j->f, "%s\"rip\":\"0x%llx\"", separator, (unsigned long long)s->rip);
		name = j->symbols ? symbols_find(j->symbols, s->rip) : NULL;
		if (name) {
			fputs(",\"symbol\":", j->f);
			put_string(j->f, name);
		}
	}
	putc('}', j->f);
}

void trace_json_slice(struct trace_json *j, const struct trace_slice *s)
{
	bool instant = s->start == s->end && !strcmp(s->category, "event");
	u64 start = s->start > j->origin ? s->start - j->origin : 0;

	next_event(j);
	fprintf(j->f, "{\"ph\":\"%s\",\"cat\":\"%s\",\"name\":", instant ? "i" : "X", s->category);
	put_string(j->f, s->name);
	fprintf(j->f, ",\"pid\":%d,\"tid\":%d", (int)j->pid, (int)s->tid);
	put_time(j, "ts", start);
	if (instant)
		fputs(",\"s\":\"t\"", j->f);
	else
		put_time(j, "dur", s->end - s->start);
	put_args(j, s);
	putc('}', j->f);
}

void trace_json_thread(struct trace_json *j, pid_t tid, int vcpu, const char *name)
{
	char text[64];

	if (vcpu >= 0)
		snprintf(text, sizeof(text), "vCPU %d", vcpu);
	else
		snprintf(text, sizeof(text), "%s", name);
	put_metadata(j, "thread_name", tid, text);
	next_event(j);
	fprintf(j->f, "{\"ph\":\"M\",\"name\":\"thread_sort_index\",\"pid\":%d,\"tid\":%d,"
		"\"args\":{\"sort_index\":%d}}", (int)j->pid, (int)tid, vcpu >= 0 ? vcpu : 10000);
}

void trace_json_end(struct trace_json *j, u64 exits, u64 events, u64 lost)
{
	fprintf(j->f, "\n],\"otherData\":{\"exits\":%llu,\"events\":%llu,\"lost\":%llu}}\n",
		(unsigned long long)exits, (unsigned long long)events, (unsigned long long)lost);
}

/* ---- folded stacks --------------------------------------------------------------------------- */

/* Kernels have no longer names, and what has is cut. */
struct folded_line {
	char text[120];
	u64 count;
};

/* Separators of the format, and what would end the line. */
static void clean(char *text)
{
	for (; *text; text++) {
		if (*text == ';' || *text == ' ' || (unsigned char)*text < 0x20)
			*text = '_';
	}
}

static void place_of(char *buf, size_t size, u64 rip, const struct symbols *symbols)
{
	const char *name = symbols ? symbols_find(symbols, rip) : NULL;

	if (name)
		snprintf(buf, size, "%s", name);
	else if (!symbols)
		snprintf(buf, size, "0x%llx", (unsigned long long)rip);
	else
		snprintf(buf, size, rip & KERNEL_HALF ? "[kernel]" : "[user]");
	clean(buf);
}

void folded_add(struct folded *fold, const struct trace_slice *slice,
		const struct symbols *symbols)
{
	char reason[48], place[64], text[sizeof(fold->line->text)];
	struct folded_line *grown;
	size_t low = 0, high = fold->nr, mid;
	int order;

	if (strcmp(slice->category, "exit"))
		return;
	snprintf(reason, sizeof(reason), "%s", slice->name);
	clean(reason);
	place_of(place, sizeof(place), slice->rip, symbols);
	snprintf(text, sizeof(text), "%s;%s", reason, place);
	while (low < high) {
		mid = low + (high - low) / 2;
		order = strcmp(fold->line[mid].text, text);
		if (!order) {
			fold->line[mid].count++;
			return;
		}
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (fold->nr == fold->room) {
		grown = realloc(fold->line, (fold->room + 64) * 2 * sizeof(*grown));
		if (!grown) {
			fold->out_of_memory = true;
			return;
		}
		fold->line = grown;
		fold->room = (fold->room + 64) * 2;
	}
	memmove(&fold->line[low + 1], &fold->line[low], (fold->nr - low) * sizeof(*fold->line));
	fold->line[low].count = 1;
	memcpy(fold->line[low].text, text, sizeof(text));
	fold->nr++;
}

int folded_write(struct folded *fold, FILE *f)
{
	size_t i;

	for (i = 0; i < fold->nr; i++)
		fprintf(f, "%s %llu\n", fold->line[i].text,
			(unsigned long long)fold->line[i].count);
	return fold->out_of_memory ? -1 : 0;
}

void folded_free(struct folded *fold)
{
	free(fold->line);
	memset(fold, 0, sizeof(*fold));
}
