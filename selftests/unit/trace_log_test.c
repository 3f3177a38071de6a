// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the tests of `mkvm trace` that need no kernel: descriptions of events, ring buffer pages, what
 * is made of them in JSON and folded stacks, symbols, and the command line.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inspect/cmd_trace.h"
#include "inspect/symbols.h"
#include "inspect/trace_format.h"
#include "inspect/trace_json.h"
#include "inspect/trace_log.h"
#include "inspect/trace_page.h"
#include "report.h"
#include "scratch.h"
#include "tap.h"

#define COMMON									\
	"format:\n"								\
	"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"	\
	"\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"	\
	"\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n" \
	"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"

/* As Linux 6.1 shows them. */
static const char format_entry[] = "name: kvm_entry\nID: 901\n" COMMON
	"\tfield:unsigned int vcpu_id;\toffset:8;\tsize:4;\tsigned:0;\n"
	"\tfield:unsigned long rip;\toffset:16;\tsize:8;\tsigned:0;\n\n"
	"print fmt: \"vcpu %u, rip 0x%lx\", REC->vcpu_id, REC->rip\n";
static const char format_exit[] = "name: kvm_exit\nID: 902\n" COMMON
	"\tfield:unsigned int exit_reason;\toffset:8;\tsize:4;\tsigned:0;\n"
	"\tfield:unsigned long guest_rip;\toffset:16;\tsize:8;\tsigned:0;\n"
	"\tfield:u32 isa;\toffset:24;\tsize:4;\tsigned:0;\n"
	"\tfield:u64 info1;\toffset:32;\tsize:8;\tsigned:0;\n"
	"\tfield:u64 info2;\toffset:40;\tsize:8;\tsigned:0;\n"
	"\tfield:u32 intr_info;\toffset:48;\tsize:4;\tsigned:0;\n"
	"\tfield:u32 error_code;\toffset:52;\tsize:4;\tsigned:0;\n"
	"\tfield:unsigned int vcpu_id;\toffset:56;\tsize:4;\tsigned:0;\n\n"
	"print fmt: \"vcpu %u reason %s%s%s\", REC->vcpu_id, (REC->isa == 1) ? "
	"__print_symbolic(REC->exit_reason & 0xffff, { 10, \"CPUID\" }, { 30, \"IO_INSTRUCTION\" }, "
	"{ 12, \"HLT\" }) : __print_symbolic(REC->exit_reason, { 0x072, \"cpuid\" }, { 0x078, \"hlt\" })\n";
static const char format_user[] = "name: kvm_userspace_exit\nID: 903\n" COMMON
	"\tfield:__u32 reason;\toffset:8;\tsize:4;\tsigned:0;\n"
	"\tfield:int errno;\toffset:12;\tsize:4;\tsigned:1;\n\n"
	"print fmt: \"reason %s (%d)\", REC->errno < 0 ? (REC->errno == -4 ? \"restart\" : \"error\") : "
	"__print_symbolic(REC->reason, { 2, \"KVM_EXIT_IO\" }, { 6, \"KVM_EXIT_\" \"MMIO\" }), 0\n";
static const char format_fpu[] = "name: kvm_fpu\nID: 904\n" COMMON
	"\tfield:u32 load;\toffset:8;\tsize:4;\tsigned:0;\n\n"
	"print fmt: \"%s\", __print_symbolic(REC->load, { 0, \"unload\" }, { 1, \"load\" })\n";
static const char format_wakeup[] = "name: kvm_vcpu_wakeup\nID: 905\n" COMMON
	"\tfield:__u64 ns;\toffset:8;\tsize:8;\tsigned:0;\n"
	"\tfield:bool waited;\toffset:16;\tsize:1;\tsigned:0;\n"
	"\tfield:bool valid;\toffset:17;\tsize:1;\tsigned:0;\n\nprint fmt: \"%s\", REC->ns\n";
static const char format_virq[] = "name: kvm_inj_virq\nID: 906\n" COMMON
	"\tfield:unsigned int vector;\toffset:8;\tsize:4;\tsigned:0;\n"
	"\tfield:bool soft;\toffset:12;\tsize:1;\tsigned:0;\n\nprint fmt: \"%u\", REC->vector\n";
static const char format_switch[] = "name: sched_switch\nID: 316\n" COMMON
	"\tfield:char prev_comm[16];\toffset:8;\tsize:16;\tsigned:0;\n"
	"\tfield:pid_t prev_pid;\toffset:24;\tsize:4;\tsigned:1;\n"
	"\tfield:int prev_prio;\toffset:28;\tsize:4;\tsigned:1;\n"
	"\tfield:long prev_state;\toffset:32;\tsize:8;\tsigned:1;\n"
	"\tfield:char next_comm[16];\toffset:40;\tsize:16;\tsigned:0;\n"
	"\tfield:pid_t next_pid;\toffset:56;\tsize:4;\tsigned:1;\n"
	"\tfield:int next_prio;\toffset:60;\tsize:4;\tsigned:1;\n\nprint fmt: \"%d\", REC->prev_pid\n";

static const char *const texts[] = {
	format_entry, format_exit, format_user, format_fpu, format_wakeup, format_virq, format_switch,
};
enum { ENTRY = 901, EXIT, USER, FPU, WAKEUP, VIRQ, SWITCH = 316 };

#define NR_FORMATS	ARRAY_SIZE(texts)
#define VCPU_TID	77
#define DEVICE_TID	88
#define START		1000000000ull
#define RIP		0xffffffff81000123ull

static struct trace_format formats[NR_FORMATS];

/* ---- descriptions ------------------------------------------------------------------------------- */

static void test_format(void)
{
	const struct trace_format *f = &formats[1];
	u8 data[64] = { 0 };
	s64 value = -4;
	int err = 0;
	size_t i;

	for (i = 0; i < NR_FORMATS; i++)
		err |= trace_format_parse(&formats[i], texts[i]);
	tap_ok(!err, "descriptions of events are understood");
	tap_ok(!strcmp(f->name, "kvm_exit") && f->id == EXIT && f->nr_fields == 8, "its name, number and fields");
	tap_ok(trace_format_field(f, "guest_rip") && trace_format_field(f, "guest_rip")->offset == 16 &&
	       !trace_format_field(f, "common_pid"), "where a field is");
	tap_ok(!strcmp(trace_format_symbol(f, 0, 30), "IO_INSTRUCTION") &&
	       !strcmp(trace_format_symbol(f, 1, 0x72), "cpuid") && !trace_format_symbol(f, 0, 0x72) &&
	       !trace_format_symbol(f, 2, 10), "names of values, list by list");
	tap_ok(!strcmp(trace_format_symbol(&formats[2], 0, 6), "KVM_EXIT_MMIO"),
	       "... after other text, and in two pieces");
	tap_ok(!strcmp(formats[6].field[0].name, "prev_comm") && formats[6].field[0].size == 16,
	       "an array has its name without the length");
	memcpy(data + 12, &value, 4);
	tap_ok((s64)trace_field_value(trace_format_field(&formats[2], "errno"), data, 16) == -4,
	       "a signed field is extended");
	tap_ok(trace_field_value(trace_format_field(&formats[2], "errno"), data, 15) == 0 &&
	       trace_field_value(NULL, data, 16) == 0, "a field outside the event is 0");
}

static void test_bad_formats(void)
{
	static const char *const bad[] = {
		"", "name: x\n", "ID: 5\n", "name: x\nID: 0\n", "name: x\nID: 70000\n", "name: \nID: 5\n",
		"\tfield:", "name:", "format:\n\tfield:int a;\toffset:8;\tsize:4;\tsigned:1;\n",
	};
	static const char *const odd[] = {
		"name: x\nID: 5\n\tfield:int a\n\tfield:;\n\tfield:int b;\toffset:9999999;\tsize:4;\n"
		"\tfield:int c;\toffset:-1;\tsize:4;\tsigned:0;\n\tfield:int d;\n",
		"name: x\nID: 5\nprint fmt: __print_symbolic(", "name: x\nID: 5\nprint fmt: __print_symbolic(a, { 1",
		"name: x\nID: 5\nprint fmt: __print_symbolic(a, { 1, \"b",
		"name: x\nID: 5\nprint fmt: __print_symbolic(a, { }, { 1, \"b\"",
	};
	struct trace_format f;
	unsigned int accepted = 0, refused = 0;
	char *many = malloc(100000);
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		accepted += !trace_format_parse(&f, bad[i]);
	tap_ok(!accepted, "what is no description is refused");
	for (i = 0; i < ARRAY_SIZE(odd); i++) {
		refused += trace_format_parse(&f, odd[i]) || f.nr_fields;
		trace_format_free(&f);
	}
	tap_ok(!refused, "fields and names that are none are left out");
	if (!many)
		tap_bail("memory");
	n = (size_t)sprintf(many, "name: x\nID: 5\n");
	for (i = 0; i < 100; i++)
		n += (size_t)sprintf(many + n, "\tfield:int f%zu;\toffset:%zu;\tsize:4;\tsigned:0;\n", i, 8 + 4 * i);
	n += (size_t)sprintf(many + n, "print fmt: __print_symbolic(a");
	for (i = 0; i < 3000; i++)
		n += (size_t)sprintf(many + n, ", { %zu, \"n%zu\" }", i, i);
	tap_ok(!trace_format_parse(&f, many) && f.nr_fields == TRACE_MAX_FIELDS &&
	       !strcmp(trace_format_symbol(&f, 0, 1000), "n1000"), "more than fits is cut");
	trace_format_free(&f);
	free(many);
}

/* ---- pages --------------------------------------------------------------------------------------- */

/**
 * struct page - a ring buffer page in the making
 * @bytes: the page
 * @at: where the next event goes
 */
struct page {
	u8 bytes[TRACE_PAGE_SIZE];
	size_t at;
};

static void put32(struct page *p, u32 v)
{
	memcpy(p->bytes + 16 + p->at, &v, 4);
	p->at += 4;
}

static void begin(struct page *p, u64 time)
{
	memset(p, 0, sizeof(*p));
	memcpy(p->bytes, &time, 8);
}

static void end(struct page *p, u64 flags)
{
	u64 commit = p->at | flags;

	memcpy(p->bytes + 8, &commit, 8);
}

static void put_event(struct page *p, u32 delta, const void *data, size_t len)
{
	put32(p, (u32)(len / 4) | delta << 5);
	memcpy(p->bytes + 16 + p->at, data, len);
	p->at += len;
}

static u64 times[64];
static size_t lengths[64];
static unsigned int seen;

static void note(void *opaque, u64 time, const void *data, size_t len)
{
	(void)opaque;
	(void)data;
	if (seen < 64) {
		times[seen] = time;
		lengths[seen++] = len;
	}
}

static int walk(const struct page *p, size_t len, u64 *lost)
{
	seen = 0;
	return trace_page_walk(p->bytes, len, note, NULL, lost);
}

static void test_pages(void)
{
	u8 data[200] = { 0 };
	struct page p;
	u64 lost = 0;

	begin(&p, START);
	put_event(&p, 5, data, 12);
	put_event(&p, 10, data, 112);
	put32(&p, 0 | 7 << 5);			/* the length in a word: 120 bytes and itself */
	put32(&p, 124);
	memset(p.bytes + 16 + p.at, 0, 120);
	p.at += 120;
	put32(&p, 30 | 1 << 5);			/* 2^27 + 1 later */
	put32(&p, 1);
	put_event(&p, 2, data, 8);
	put32(&p, 29 | 1 << 5);			/* thrown away: 12 bytes */
	put32(&p, 12);
	put32(&p, 0);
	put32(&p, 0);
	put_event(&p, 1, data, 8);
	put32(&p, 31 | 3 << 5);			/* at 2^28 + 3 */
	put32(&p, 2);
	put_event(&p, 4, data, 8);
	put32(&p, 29);				/* the end */
	put32(&p, 0xffffffff);
	end(&p, 0);
	tap_eq(walk(&p, TRACE_PAGE_SIZE, &lost), 6, "all kinds of headers");
	tap_ok(lengths[0] == 12 && lengths[1] == 112 && lengths[2] == 120 && lengths[3] == 8, "lengths");
	tap_ok(times[0] == START + 5 && times[1] == START + 15 && times[2] == START + 22, "times");
	tap_ok(times[3] == START + 22 + (1ull << 27) + 1 + 2 && times[4] == times[3] + 1 &&
	       times[5] == (2ull << 27) + 3 + 4, "long and absolute times");
	tap_ok(!lost, "nothing was lost");
	begin(&p, START);
	put_event(&p, 1, data, 8);
	data[0] = 42;
	memcpy(p.bytes + 16 + p.at, data, 8);
	end(&p, BIT(31) | BIT(30));
	tap_ok(walk(&p, TRACE_PAGE_SIZE, &lost) == 1 && lost == 42, "how many events were lost is there");
	end(&p, BIT(31));
	tap_ok(walk(&p, TRACE_PAGE_SIZE, &lost) == 1 && lost == 43, "... or not");
	begin(&p, START);
	end(&p, 0);
	tap_ok(walk(&p, TRACE_PAGE_SIZE, &lost) == 0, "an empty page");
}

static void test_bad_pages(void)
{
	struct page p;
	u64 lost = 0;
	unsigned int i, kind, bad = 0;

	begin(&p, START);
	end(&p, 4095);
	tap_ok(walk(&p, TRACE_PAGE_SIZE, &lost) < 0 && walk(&p, 8, &lost) < 0 && walk(&p, 0, &lost) < 0,
	       "a page that says it is longer than it is");
	for (kind = 0; kind < 32; kind++) {
		for (i = 4; i < 12; i += 4) {
			begin(&p, START);
			put32(&p, kind | 1 << 5);
			if (i > 4)
				put32(&p, 0xfffffff0);
			end(&p, 0);
			walk(&p, 16 + p.at, &lost);
			bad += seen;
		}
	}
	/* Only an event of one word fits into the eight bytes. */
	tap_eq(bad, 1, "events that reach beyond the page are none");
	srand(1);
	for (i = 0; i < 20000; i++) {
		for (kind = 0; kind < 64; kind++)
			p.bytes[kind] = (u8)rand();
		p.bytes[8] = (u8)(rand() % 49);
		p.bytes[9] = p.bytes[10] = 0;
		walk(&p, 64, &lost);
	}
	tap_ok(true, "random bytes do no harm");
}

/* ---- the story ------------------------------------------------------------------------------------ */

static void add(struct trace_log *log, u64 time, u16 id, int pid, void *data, size_t len)
{
	u8 *p = data;
	__s32 tid = pid;

	memcpy(p, &id, 2);
	memcpy(p + 4, &tid, 4);
	trace_log_add(log, time, data, len);
}

static void add_entry(struct trace_log *log, u64 time)
{
	u8 d[24] = { 0 };

	d[8] = 3;
	add(log, time, ENTRY, VCPU_TID, d, sizeof(d));
}

static void add_exit(struct trace_log *log, u64 time, u32 reason, u64 rip, u64 info1)
{
	u8 d[64] = { 0 };

	memcpy(d + 8, &reason, 4);
	memcpy(d + 16, &rip, 8);
	d[24] = 1;
	memcpy(d + 32, &info1, 8);
	d[56] = 3;
	add(log, time, EXIT, VCPU_TID, d, sizeof(d));
}

static void add_word(struct trace_log *log, u64 time, u16 id, u32 word, u32 second)
{
	u8 d[20] = { 0 };

	memcpy(d + 8, &word, 4);
	memcpy(d + 12, &second, 4);
	add(log, time, id, VCPU_TID, d, sizeof(d));
}

static void add_switch(struct trace_log *log, u64 time, int prev, int next)
{
	u8 d[64] = { 0 };

	memcpy(d + 24, &prev, 4);
	memcpy(d + 56, &next, 4);
	add(log, time, SWITCH, prev, d, sizeof(d));
}

/* A CPUID in the kernel, an OUT that goes to userspace, a HLT; not in the order of time. */
static void record(struct trace_log *log)
{
	u8 wakeup[20] = { 0 };
	u64 ns = 400;

	add_switch(log, START + 1500, 0, DEVICE_TID);
	add_switch(log, START + 2500, DEVICE_TID, 0);
	add_switch(log, START + 2600, 4711, VCPU_TID);
	add_entry(log, START);
	add_exit(log, START + 1000, 10, RIP, 0);
	add_word(log, START + 1050, VIRQ, 0x51, 0);
	add_entry(log, START + 1100);
	add_exit(log, START + 2000, 30, 0x400000, 0xe90000);
	add_word(log, START + 2050, USER, 2, 0);
	add_word(log, START + 2060, FPU, 0, 0);
	add_word(log, START + 2900, FPU, 1, 0);
	add_entry(log, START + 3000);
	add_exit(log, START + 4000, 12, RIP, 0);
	memcpy(wakeup + 8, &ns, 8);
	wakeup[16] = 1;
	add(log, START + 4500, WAKEUP, VCPU_TID, wakeup, sizeof(wakeup));
	add_entry(log, START + 4600);
	add_exit(log, START + 4700, 99, RIP, 0);
	add_entry(log, START + 4800);
}

static bool ours(void *opaque, pid_t tid)
{
	(void)opaque;
	return tid == DEVICE_TID || tid == VCPU_TID;
}

static struct trace_json out;
static struct folded fold;
static const struct symbols *names;

static void on_slice(void *opaque, const struct trace_slice *slice)
{
	(void)opaque;
	trace_json_slice(&out, slice);
	folded_add(&fold, slice, names);
}

static void on_track(void *opaque, pid_t tid, int vcpu)
{
	(void)opaque;
	trace_json_thread(&out, tid, vcpu, "disk \"0\"\\\x01\xff");
}

/* Tells a log; returns the JSON, parsed. */
static json_t *tell(struct trace_log *log, long *exits)
{
	const struct trace_sink sink = { ours, on_slice, on_track, NULL };
	char *text = NULL;
	size_t len = 0;
	json_t *json;

	out = (struct trace_json){
		.f = open_memstream(&text, &len), .pid = 70, .origin = trace_log_start(log), .symbols = names,
	};
	trace_json_begin(&out, "mkvm \"it\"\n");
	*exits = trace_log_tell(log, formats, NR_FORMATS, &sink);
	trace_json_end(&out, (u64)*exits, log->nr, 5);
	fclose(out.f);
	json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	if (!json)
		tap_diag("%s", text);
	free(text);
	return json;
}

/* What every reader of the format wants of an event. */
static bool valid(const json_t *e)
{
	const char *ph = json_string_value(json_object_get(e, "ph"));
	bool common = ph && json_is_string(json_object_get(e, "name")) &&
		      json_is_integer(json_object_get(e, "pid")) && json_is_integer(json_object_get(e, "tid")) &&
		      json_is_object(json_object_get(e, "args"));

	if (!common)
		return false;
	if (!strcmp(ph, "M"))
		return true;
	if (!json_is_number(json_object_get(e, "ts")) || !json_is_string(json_object_get(e, "cat")))
		return false;
	if (!strcmp(ph, "i"))
		return !strcmp(json_string_value(json_object_get(e, "s")), "t");
	return !strcmp(ph, "X") && json_real_value(json_object_get(e, "dur")) >= 0;
}

static const json_t *find(const json_t *list, const char *name, int tid)
{
	const json_t *e;
	size_t i;

	json_array_foreach(list, i, e) {
		if (!strcmp(json_string_value(json_object_get(e, "name")), name) &&
		    (!tid || json_integer_value(json_object_get(e, "tid")) == tid))
			return e;
	}
	return NULL;
}

static bool lasts(const json_t *e, double ts, double dur)
{
	return e && json_real_value(json_object_get(e, "ts")) == ts &&
	       json_real_value(json_object_get(e, "dur")) == dur;
}

static const char *arg(const json_t *e, const char *key)
{
	const char *text = json_string_value(json_object_get(json_object_get(e, "args"), key));

	return text ? text : "";
}

static void check_events(const json_t *list)
{
	const json_t *e;
	unsigned int bad = 0;
	size_t i;

	json_array_foreach(list, i, e)
		bad += !valid(e);
	tap_ok(i > 10 && !bad, "each event has what its kind must have");
	e = find(list, "CPUID", VCPU_TID);
	tap_ok(lasts(e, 1, 0.1) && !strcmp(arg(e, "handled"), "kernel") &&
	       !strcmp(arg(e, "rip"), "0xffffffff81000123"), "an exit that the kernel handled");
	e = find(list, "IO_INSTRUCTION", VCPU_TID);
	tap_ok(lasts(e, 2, 1) && !strcmp(arg(e, "handled"), "user") && !strcmp(arg(e, "info1"), "0xe90000") &&
	       !strcmp(arg(e, "run_reason"), "KVM_EXIT_IO"), "one that went to userspace");
	tap_ok(lasts(find(list, "userspace", VCPU_TID), 2.05, 0.85), "how long it was there");
	tap_ok(lasts(find(list, "HLT", 0), 4, 0.6) && lasts(find(list, "halted", 0), 4.1, 0.4), "a halt");
	tap_ok(lasts(find(list, "exit 99", 0), 4.7, 0.1), "an exit without a name");
	tap_ok(lasts(find(list, "guest", 0), 0, 1), "a stay in the guest");
	e = find(list, "inj_virq", VCPU_TID);
	tap_ok(e && json_integer_value(json_object_get(json_object_get(e, "args"), "vector")) == 0x51 &&
	       !strcmp(json_string_value(json_object_get(e, "ph")), "i"), "an injection is an instant");
	tap_ok(lasts(find(list, "running", DEVICE_TID), 1.5, 1) && !find(list, "running", VCPU_TID) &&
	       !find(list, "running", 4711), "a device's thread ran; other processes are not shown");
	json_array_foreach(list, i, e) {
		if (!strcmp(json_string_value(json_object_get(e, "name")), "thread_name") &&
		    json_integer_value(json_object_get(e, "tid")) == VCPU_TID)
			break;
	}
	tap_ok(e && !strcmp(arg(e, "name"), "vCPU 3"), "a vCPU's track has its number");
	tap_ok(!strcmp(arg(find(list, "thread_name", DEVICE_TID), "name"), "disk \"0\"\\\x01\xc3\xbf"),
	       "a thread's name may have any bytes");
}

static void test_story(void)
{
	struct trace_log log = { .limit = 0 };
	char *text = NULL;
	size_t len = 0;
	json_t *json;
	long exits;
	FILE *f;

	record(&log);
	json = tell(&log, &exits);
	tap_ok(exits == 4 && json_is_object(json), "what is written is JSON");
	check_events(json_object_get(json, "traceEvents"));
	tap_eq(json_integer_value(json_object_get(json_object_get(json, "otherData"), "lost")), 5,
	       "what was lost is told");
	json_decref(json);
	trace_log_free(&log);

	f = open_memstream(&text, &len);
	tap_ok(!folded_write(&fold, f) && !fclose(f) &&
	       !strcmp(text, "CPUID;0xffffffff81000123 1\nHLT;0xffffffff81000123 1\n"
		       "IO_INSTRUCTION;0x400000 1\nexit_99;0xffffffff81000123 1\n"), "folded stacks");
	free(text);
	folded_free(&fold);
}

/* Whatever the events are, the answer is JSON. */
static void test_any_events(void)
{
	struct trace_log log = { .limit = 3000 };
	unsigned int i, bad = 0;
	static const u16 ids[] = { ENTRY, EXIT, USER, FPU, WAKEUP, VIRQ, SWITCH, 5 };
	const json_t *event;
	u8 data[64];
	json_t *json;
	long exits;
	size_t k;

	srand(2);
	for (i = 0; i < 4000; i++) {
		for (k = 0; k < sizeof(data); k++)
			data[k] = (u8)rand();
		add(&log, START + (u64)(rand() % 1000000), ids[rand() % 8], rand() % 3 ? VCPU_TID : rand() % 9 - 2,
		    data, (size_t)(rand() % 65));
	}
	tap_ok(log.nr == 3000 && log.dropped, "no more events are kept than asked for");
	json = tell(&log, &exits);
	json_array_foreach(json_object_get(json, "traceEvents"), k, event)
		bad += !valid(event);
	tap_ok(json && k > 100 && !bad, "any bytes make valid events");
	json_decref(json);
	trace_log_free(&log);
	folded_free(&fold);
	json = tell(&log, &exits);
	tap_ok(json && !exits, "no events make valid JSON, too");
	json_decref(json);
	folded_free(&fold);
}

/* ---- symbols ------------------------------------------------------------------------------------- */

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	if (!f || fputs(text, f) < 0 || fclose(f))
		tap_bail("cannot write %s", name);
}

static bool is(const char *got, const char *want)
{
	return got && !strcmp(got, want);
}

static void test_symbols(void)
{
	char *text = NULL;
	struct symbols s;
	size_t len = 0;
	FILE *f;

	write_file("map", "ffffffff81000000 T _text\nffffffff81000100 t do \nffffffff81000200 D data\n"
			  "ffffffff81000100 T alias\nffffffff80ff0000 A absolute\nffffffff81001000 W weak\n");
	tap_ok(!symbols_load(&s, "map"), "a System.map is read");
	tap_ok(is(symbols_find(&s, RIP), "do") && is(symbols_find(&s, 0xffffffff810000ff), "_text") &&
	       is(symbols_find(&s, 0xffffffff810002ff), "do"), "an address is of the function in front of it");
	tap_ok(!symbols_find(&s, 0xffffffff80ffffff) && !symbols_find(&s, 0xffffffff82000000) &&
	       !symbols_find(&s, 0x400000), "others are nobody's");
	tap_ok(symbols_address(&s, "weak") == 0xffffffff81001000 && !symbols_address(&s, "data"), "by name");
	s.shift = 0x1000000;
	tap_ok(is(symbols_find(&s, RIP + 0x1000000), "do") && !symbols_find(&s, RIP), "a kernel that was moved");
	s.shift = 0;
	names = &s;
	{
		struct trace_log log = { .limit = 0 };
		long exits;
		json_t *json;

		record(&log);
		json = tell(&log, &exits);
		tap_ok(is(arg(find(json_object_get(json, "traceEvents"), "CPUID", 0), "symbol"), "do"),
		       "JSON has the symbol");
		json_decref(json);
		trace_log_free(&log);
	}
	f = open_memstream(&text, &len);
	folded_write(&fold, f);
	fclose(f);
	tap_ok(!strcmp(text, "CPUID;do 1\nHLT;do 1\nIO_INSTRUCTION;[user] 1\nexit_99;do 1\n"), "stacks have it");
	free(text);
	folded_free(&fold);
	names = NULL;
	symbols_free(&s);
}

void trace_log_test_marker(void)
{
	tap_diag("a function of this program");
}

static void test_elf(void)
{
	static const char *const bad[] = { "missing", "empty", "text", "zeros", "cut", "." };
	struct symbols s;
	unsigned int i, accepted = 0;
	char head[4000];
	FILE *f;

	tap_ok(!symbols_load(&s, "/proc/self/exe") && symbols_address(&s, "trace_log_test_marker"),
	       "symbols of an ELF file");
	tap_ok(is(symbols_find(&s, symbols_address(&s, "trace_log_test_marker") + 1), "trace_log_test_marker"),
	       "... are found");
	symbols_free(&s);
	write_file("empty", "");
	write_file("text", "this is no map\n");
	write_file("zeros", "0000000000000000 T _text\n0000000000000000 t do\t[module]\n");
	f = fopen("/proc/self/exe", "r");
	if (!f || fread(head, sizeof(head), 1, f) != 1)
		tap_bail("cannot read this program");
	fclose(f);
	f = fopen("cut", "w");
	if (!f || fwrite(head, sizeof(head), 1, f) != 1 || fclose(f))
		tap_bail("cannot write");
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		accepted += !symbols_load(&s, bad[i]);
		symbols_free(&s);
	}
	tap_ok(!accepted, "files without symbols are refused");
}

/* ---- command line --------------------------------------------------------------------------------- */

static void test_command(void)
{
	static char *const bad[][7] = {
		{ "trace" }, { "trace", "a", "b" }, { "trace", "no/name" }, { "trace", "nobody-runs-this" },
		{ "trace", "--pid", "0" }, { "trace", "--pid", "x" }, { "trace", "--pid", "999999999" },
		{ "trace", "--seconds", "0", "a" }, { "trace", "--seconds", "nan", "a" },
		{ "trace", "--events", "0", "a" }, { "trace", "--shift", "4096", "a" },
		{ "trace", "--shift", "auto", "a" }, { "trace", "--what" },
		{ "trace", "--pid", "1", "--symbols", "map", "--shift", "x" },
		{ "trace", "--seconds" }, { "trace", "--pid", "1", "--symbols", "missing" },
		{ "trace", "--pid", "1", "-o", "no/such/folder" },
		{ "trace", "--pid", "1", "--symbols", "map", "--shift", "auto" },
	};
	unsigned int i, accepted = 0, n;
	char *argv[8];

	setenv("MKVM_RUNTIME_DIR", ".", 1);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		for (n = 0; n < 7 && bad[i][n]; n++)
			argv[n] = bad[i][n];
		argv[n] = NULL;
		if (cmd_trace((int)n, argv) != EXIT_ERROR) {
			tap_diag("accepted: case %u", i);
			accepted++;
		}
	}
	tap_ok(!accepted, "bad command lines are refused");
	tap_ok(access("mkvm.trace.json", F_OK) != 0, "... and leave no file");
}

int main(void)
{
	size_t i;

	scratch_enter();
	test_format();
	test_bad_formats();
	test_pages();
	test_bad_pages();
	test_story();
	test_any_events();
	test_symbols();
	test_elf();
	test_command();
	for (i = 0; i < NR_FORMATS; i++)
		trace_format_free(&formats[i]);
	scratch_leave();
	return tap_done();
}
