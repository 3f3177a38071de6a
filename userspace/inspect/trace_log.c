// SPDX-License-Identifier: GPL-2.0
/*
 * Makes slices of events. See trace_log.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/trace_log.h"
#include "report.h"

/* What every event begins with: its number, flags, and the thread. */
#define COMMON_TYPE	0
#define COMMON_PID	4
#define COMMON_BYTES	8

#define ISA_VMX		1
#define VMX_BASIC	0xffff
#define MAX_TRACKS	4096u		/* a power of two */

struct trace_record {
	u64 time;
	size_t offset;
	u32 len;
};

enum kind { KIND_OTHER, KIND_ENTRY, KIND_EXIT, KIND_USER_EXIT, KIND_FPU, KIND_WAKEUP, KIND_SWITCH };

static const struct {
	const char *name;
	enum kind kind;
} kinds[] = {
	{ "kvm_entry", KIND_ENTRY }, { "kvm_exit", KIND_EXIT },
	{ "kvm_userspace_exit", KIND_USER_EXIT }, { "kvm_fpu", KIND_FPU },
	{ "kvm_vcpu_wakeup", KIND_WAKEUP }, { "sched_switch", KIND_SWITCH },
};

/**
 * struct trace_track - where a thread stands
 * @tid: 0: this place is free
 * @vcpu: its number, -1: none
 * @seen: it had a slice
 * @guest_since: 0: not in the guest
 * @exit_since: 0: no exit is being handled
 * @user_since: 0: not in userspace
 * @running_since: 0: not running, or a vCPU's
 * @exit: the exit that is being handled, and its format
 * @user_reason: why RUN returned
 */
struct trace_track {
	pid_t tid;
	int vcpu;
	bool seen;
	u64 guest_since, exit_since, user_since, running_since;
	struct {
		const struct trace_format *format;
		u64 reason, rip, isa, info1, info2, intr_info;
	} exit;
	char user_reason[TRACE_NAME_MAX];
	bool went_to_user;
};

struct teller {
	const struct trace_sink *sink;
	struct trace_track *tracks;
	const struct trace_format *by_id[0x10000];
	enum kind kind_of[0x10000];
	long exits;
};

/* ---- keeping --------------------------------------------------------------------------------- */

void trace_log_add(void *opaque, u64 time, const void *data, size_t len)
{
	struct trace_log *log = opaque;
	void *grown;

	if (len < COMMON_BYTES || len > UINT32_MAX)
		return;
	if (log->out_of_memory || (log->limit && log->nr == log->limit)) {
		log->dropped++;
		return;
	}
	if (log->nr == log->room) {
		grown = realloc(log->record, (log->room + 1024) * 2 * sizeof(*log->record));
		if (!grown)
			goto full;
		log->record = grown;
		log->room = (log->room + 1024) * 2;
	}
	if (log->size - log->used < len) {
		grown = realloc(log->bytes, (log->size + len + 65536) * 2);
		if (!grown)
			goto full;
		log->bytes = grown;
		log->size = (log->size + len + 65536) * 2;
	}
	log->record[log->nr++] = (struct trace_record){
		.time = time, .offset = log->used, .len = (u32)len,
	};
	memcpy(log->bytes + log->used, data, len);
	log->used += len;
	return;
full:
	log->out_of_memory = true;
	log->dropped++;
}

u64 trace_log_start(const struct trace_log *log)
{
	u64 start = log->nr ? log->record[0].time : 0;
	size_t i;

	for (i = 1; i < log->nr; i++) {
		if (log->record[i].time < start)
			start = log->record[i].time;
	}
	return start;
}

void trace_log_free(struct trace_log *log)
{
	free(log->record);
	free(log->bytes);
	memset(log, 0, sizeof(*log));
}

static int by_time(const void *a, const void *b)
{
	const struct trace_record *one = a, *other = b;

	if (one->time != other->time)
		return one->time < other->time ? -1 : 1;
	return one->offset < other->offset ? -1 : one->offset > other->offset;
}

/* ---- telling --------------------------------------------------------------------------------- */

/* The place of a thread; a new one if @make. NULL: none, or there are too many. */
static struct trace_track *find_track(struct teller *t, pid_t tid, bool make)
{
	unsigned int i, at;

	for (i = 0; i < MAX_TRACKS; i++) {
		at = ((unsigned int)tid * 2654435761u + i) & (MAX_TRACKS - 1);
		if (t->tracks[at].tid == tid)
			return &t->tracks[at];
		if (!t->tracks[at].tid)
			break;
	}
	/* Never full, so that a search ends. */
	if (!make || tid <= 0 || i > MAX_TRACKS / 2)
		return NULL;
	t->tracks[at] = (struct trace_track){ .tid = tid, .vcpu = -1 };
	return &t->tracks[at];
}

static struct trace_slice new_slice(struct trace_track *track, const char *category,
				    const char *name, u64 start, u64 end)
{
	return (struct trace_slice){
		.tid = track->tid, .category = category, .name = name, .start = start, .end = end,
	};
}

static void add_arg(struct trace_slice *s, const char *key, enum trace_arg_kind kind, u64 value,
		    const char *text)
{
	if (s->nr_args < TRACE_MAX_ARGS)
		s->arg[s->nr_args++] = (struct trace_arg){ key, kind, value, text };
}

static void tell(struct teller *t, struct trace_track *track, struct trace_slice *s)
{
	track->seen = true;
	t->sink->slice(t->sink->opaque, s);
}

static u64 field(const struct trace_format *f, const char *name, const u8 *data, size_t len)
{
	return trace_field_value(trace_format_field(f, name), data, len);
}

static const char *exit_name(const struct trace_track *track, char *buf, size_t size)
{
	u64 isa = track->exit.isa, reason = track->exit.reason;
	const char *name;

	name = trace_format_symbol(track->exit.format, isa > 1 ? (unsigned int)isa - 1 : 0,
				   isa == ISA_VMX ? reason & VMX_BASIC : reason);
	if (name)
		return name;
	snprintf(buf, size, "exit %llu", (unsigned long long)reason);
	return buf;
}

static void end_user(struct teller *t, struct trace_track *track, u64 now)
{
	struct trace_slice s = new_slice(track, "user", "userspace", track->user_since, now);

	if (!track->user_since)
		return;
	add_arg(&s, "reason", TRACE_ARG_TEXT, 0, track->user_reason);
	track->user_since = 0;
	tell(t, track, &s);
}

static void on_entry(struct teller *t, struct trace_track *track, u64 now)
{
	struct trace_slice s;
	char buf[32];

	end_user(t, track, now);
	if (track->exit_since) {
		s = new_slice(track, "exit", exit_name(track, buf, sizeof(buf)), track->exit_since,
			      now);
		s.has_rip = true;
		s.rip = track->exit.rip;
		add_arg(&s, "handled", TRACE_ARG_TEXT, 0, track->went_to_user ? "user" : "kernel");
		if (track->went_to_user)
			add_arg(&s, "run_reason", TRACE_ARG_TEXT, 0, track->user_reason);
		add_arg(&s, "info1", TRACE_ARG_HEX, track->exit.info1, NULL);
		if (track->exit.info2)
			add_arg(&s, "info2", TRACE_ARG_HEX, track->exit.info2, NULL);
		if (track->exit.intr_info)
			add_arg(&s, "intr_info", TRACE_ARG_HEX, track->exit.intr_info, NULL);
		tell(t, track, &s);
	}
	track->exit_since = 0;
	track->guest_since = now;
}

static void on_exit_event(struct teller *t, struct trace_track *track, u64 now,
			  const struct trace_format *f, const u8 *data, size_t len)
{
	struct trace_slice s = new_slice(track, "guest", "guest", track->guest_since, now);

	if (track->guest_since)
		tell(t, track, &s);
	track->guest_since = 0;
	track->user_since = 0;
	track->went_to_user = false;
	track->exit_since = now;
	track->exit.format = f;
	track->exit.reason = field(f, "exit_reason", data, len);
	track->exit.rip = field(f, "guest_rip", data, len);
	track->exit.isa = field(f, "isa", data, len);
	track->exit.info1 = field(f, "info1", data, len);
	track->exit.info2 = field(f, "info2", data, len);
	track->exit.intr_info = field(f, "intr_info", data, len);
	t->exits++;
}

static void on_user_exit(struct trace_track *track, u64 now, const struct trace_format *f,
			 const u8 *data, size_t len)
{
	s64 err = (s64)field(f, "errno", data, len);
	u64 reason = field(f, "reason", data, len);
	const char *name = trace_format_symbol(f, 0, reason);

	if (err < 0)
		snprintf(track->user_reason, sizeof(track->user_reason), "errno %lld",
			 (long long)-err);
	else if (name)
		snprintf(track->user_reason, sizeof(track->user_reason), "%s", name);
	else
		snprintf(track->user_reason, sizeof(track->user_reason), "%llu",
			 (unsigned long long)reason);
	track->went_to_user = true;
	track->user_since = now;
}

/* The event says how long it was; it cannot have begun before what it is part of. */
static void on_wakeup(struct teller *t, struct trace_track *track, u64 now,
		      const struct trace_format *f, const u8 *data, size_t len)
{
	u64 ns = field(f, "ns", data, len), start = ns < now ? now - ns : 0;
	struct trace_slice s;

	if (!track->exit_since)
		return;
	s = new_slice(track, "halt", field(f, "waited", data, len) ? "halted" : "polling",
		      start < track->exit_since ? track->exit_since : start, now);
	tell(t, track, &s);
}

static void on_switch(struct teller *t, u64 now, const struct trace_format *f, const u8 *data,
		      size_t len)
{
	struct trace_track *prev = find_track(t, (pid_t)field(f, "prev_pid", data, len), false);
	struct trace_track *next = find_track(t, (pid_t)field(f, "next_pid", data, len), false);
	struct trace_slice s;

	if (prev && prev->running_since) {
		s = new_slice(prev, "sched", "running", prev->running_since, now);
		prev->running_since = 0;
		tell(t, prev, &s);
	}
	if (next && next->vcpu < 0)
		next->running_since = now;
}

static void on_other(struct teller *t, struct trace_track *track, u64 now,
		     const struct trace_format *f, const u8 *data, size_t len)
{
	const char *name = strncmp(f->name, "kvm_", 4) ? f->name : f->name + 4;
	struct trace_slice s = new_slice(track, "event", name, now, now);
	unsigned int i;
	u64 value;

	for (i = 0; i < f->nr_fields; i++) {
		if (f->field[i].size > sizeof(u64))
			continue;
		value = trace_field_value(&f->field[i], data, len);
		if (!strcmp(f->field[i].name, "guest_rip")) {
			s.has_rip = true;
			s.rip = value;
			continue;
		}
		add_arg(&s, f->field[i].name,
			f->field[i].size == sizeof(u64) ? TRACE_ARG_HEX : TRACE_ARG_NUMBER, value,
			NULL);
	}
	tell(t, track, &s);
}

static pid_t pid_of(const u8 *data)
{
	__s32 pid;

	memcpy(&pid, data + COMMON_PID, sizeof(pid));
	return pid;
}

static u16 type_of(const u8 *data)
{
	u16 type;

	memcpy(&type, data + COMMON_TYPE, sizeof(type));
	return type;
}

/* First which threads there are, and which of them are vCPUs. */
static void find_threads(struct teller *t, const struct trace_log *log)
{
	struct trace_track *track;
	const u8 *data;
	enum kind kind;
	size_t i;
	u16 id;

	for (i = 0; i < log->nr; i++) {
		data = log->bytes + log->record[i].offset;
		id = type_of(data);
		kind = t->kind_of[id];
		if (!t->by_id[id])
			continue;
		/* One of the two is ours; it is the one that leaves sooner or later. */
		if (kind == KIND_SWITCH) {
			if (!find_track(t, pid_of(data), false) &&
			    t->sink->ours(t->sink->opaque, pid_of(data)))
				find_track(t, pid_of(data), true);
			continue;
		}
		track = find_track(t, pid_of(data), true);
		if (track && (kind == KIND_ENTRY || kind == KIND_EXIT))
			track->vcpu = (int)field(t->by_id[id], "vcpu_id", data, log->record[i].len);
	}
}

static void tell_one(struct teller *t, const struct trace_record *r, const u8 *data)
{
	u16 id = type_of(data);
	const struct trace_format *f = t->by_id[id];
	struct trace_track *track;

	if (!f)
		return;
	if (t->kind_of[id] == KIND_SWITCH) {
		on_switch(t, r->time, f, data, r->len);
		return;
	}
	track = find_track(t, pid_of(data), false);
	if (!track)
		return;
	switch (t->kind_of[id]) {
	case KIND_ENTRY:
		on_entry(t, track, r->time);
		break;
	case KIND_EXIT:
		on_exit_event(t, track, r->time, f, data, r->len);
		break;
	case KIND_USER_EXIT:
		on_user_exit(track, r->time, f, data, r->len);
		break;
	case KIND_FPU:
		if (field(f, "load", data, r->len))
			end_user(t, track, r->time);
		break;
	case KIND_WAKEUP:
		on_wakeup(t, track, r->time, f, data, r->len);
		break;
	default:
		on_other(t, track, r->time, f, data, r->len);
	}
}

long trace_log_tell(struct trace_log *log, const struct trace_format *formats,
		    unsigned int nr_formats, const struct trace_sink *sink)
{
	struct teller *t = calloc(1, sizeof(*t));
	unsigned int i, k;
	long exits;
	size_t n;

	if (t)
		t->tracks = calloc(MAX_TRACKS, sizeof(*t->tracks));
	if (!t || !t->tracks) {
		free(t);
		return report("out of memory");
	}
	t->sink = sink;
	for (i = 0; i < nr_formats; i++) {
		t->by_id[formats[i].id & 0xffff] = &formats[i];
		for (k = 0; k < ARRAY_SIZE(kinds); k++)
			if (!strcmp(formats[i].name, kinds[k].name))
				t->kind_of[formats[i].id & 0xffff] = kinds[k].kind;
	}
	if (log->nr)
		qsort(log->record, log->nr, sizeof(*log->record), by_time);
	find_threads(t, log);
	for (n = 0; n < log->nr; n++)
		tell_one(t, &log->record[n], log->bytes + log->record[n].offset);
	for (i = 0; i < MAX_TRACKS; i++)
		if (t->tracks[i].tid && t->tracks[i].seen)
			sink->track(sink->opaque, t->tracks[i].tid, t->tracks[i].vcpu);
	exits = t->exits;
	free(t->tracks);
	free(t);
	return exits;
}
