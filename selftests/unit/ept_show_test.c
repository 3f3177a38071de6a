// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the tests of what `mkvm ept` says of page tables: ranges put together and found, sums
 * against slots, text, JSON and the page for a browser.
 *
 * With a file's name as its argument it writes the page of a made-up machine there, to look at.
 */
#include "inspect/ept.h"
#include "inspect/options.h"
#include "report.h"
#include "tap.h"

#define RWX	(MINIKVM_INSPECT_EPT_READ | MINIKVM_INSPECT_EPT_WRITE | MINIKVM_INSPECT_EPT_EXEC)
#define A	MINIKVM_INSPECT_EPT_ACCESSED
#define D	MINIKVM_INSPECT_EPT_DIRTY
#define KIB	1024ULL
#define MIB	(1024 * KIB)

static char buf[65536];

static int add(struct ept_map *m, u64 gpa, u64 hpa, u64 bytes, u32 level, u32 flags, u32 slot)
{
	struct minikvm_inspect_range r = {
		.gpa = gpa, .hpa = hpa, .bytes = bytes, .level = level, .flags = flags,
		.memtype = 6, .slot = slot,
	};

	return ept_add(m, &r);
}

/* 64 MiB from 0 on in slot 0, and 1 MiB of read-only memory in slot 1. */
static void make(struct ept_map *m, const char *name)
{
	static const struct minikvm_inspect_slot slots[] = {
		{ .gpa = 0, .bytes = 64 * MIB, .hva = 0x7f0000000000, .slot = 0 },
		{ .gpa = 0xfff00000, .bytes = MIB, .hva = 0x7f1000000000, .slot = 1, .flags = 2 },
	};

	*m = (struct ept_map){
		.root = 0x1234000, .table_pages = 9, .end = 1ULL << 48, .max_level = 3,
		.has_ad = true,
	};
	snprintf(m->machine, sizeof(m->machine), "%s", name);
	m->slots = malloc(sizeof(slots));
	if (!m->slots)
		tap_bail("memory");
	memcpy(m->slots, slots, sizeof(slots));
	m->nr_slots = 2;
	add(m, 0, 0x10000000, 4 * KIB, 1, RWX | A, 0);
	add(m, 4 * KIB, 0x10001000, 12 * KIB, 1, RWX | A, 0);
	add(m, 64 * KIB, 0x20000000, 8 * KIB, 1, RWX | A | D, 0);
	add(m, 2 * MIB, 0x40000000, 8 * MIB, 2, RWX, 0);
	add(m, 0xfec00000, 0, 4 * KIB, 1, MINIKVM_INSPECT_EPT_MMIO, MINIKVM_INSPECT_NO_SLOT);
	add(m, 0xfff00000, 0x50000000, 4 * KIB, 1, MINIKVM_INSPECT_EPT_READ | A, 1);
}

static void test_ranges(void)
{
	struct ept_map m;
	struct ept_sum sum;

	make(&m, "one");
	tap_eq(m.nr_ranges, 5, "two ranges that follow each other become one");
	tap_eq(m.ranges[0].bytes, 16 * KIB, "as long as both");
	tap_eq(add(&m, 0xfff00000, 0x50000000, 4 * KIB, 1, A, 1), 0, "what is there already");
	tap_eq(m.nr_ranges, 5, "is not added again");
	tap_eq(add(&m, 0x100000000, 0, 0, 1, A, 0), -1, "nothing is no range");
	tap_eq(add(&m, 0x100000000, 0, 4 * KIB, 2, A, 0), -1, "nor is part of a page");
	tap_eq(add(&m, 0x100000000, 0, 4 * KIB, 4, A, 0), -1, "nor a page of level 4");
	tap_eq(add(&m, 0x100000000, 0, 4 * KIB, 0, A, 0), -1, "nor one of level 0");
	tap_eq(add(&m, -4096ULL, 0, 8 * KIB, 1, A, 0), -1, "nor what wraps around");
	tap_ok(ept_find(&m, 0) == &m.ranges[0] && ept_find(&m, 16 * KIB - 1) == &m.ranges[0] &&
	       !ept_find(&m, 16 * KIB) && ept_find(&m, 2 * MIB + 5) == &m.ranges[2] &&
	       ept_find(&m, 0xfff00fff) == &m.ranges[4] && !ept_find(&m, 0xfff01000) &&
	       !ept_find(&m, ~0ULL), "ranges are found by address");
	tap_ok(ept_slot(&m, 64 * MIB - 1) == &m.slots[0] && !ept_slot(&m, 64 * MIB) &&
	       ept_slot(&m, 0xffffffff) == &m.slots[1], "slots, too");
	sum = ept_sum(&m, NULL);
	tap_eq(sum.mapped, 8 * MIB + 28 * KIB, "all that is mapped, without MMIO");
	tap_eq(sum.accessed, 28 * KIB, "accessed");
	tap_eq(sum.dirty, 8 * KIB, "dirty");
	tap_eq(sum.level[2], 8 * MIB, "in large pages");
	sum = ept_sum(&m, &m.slots[1]);
	tap_eq(sum.mapped, 4 * KIB, "of one slot");
	/* A range that reaches over its slot's end counts as far as it is inside. */
	m.slots[0].bytes = 4 * MIB;
	sum = ept_sum(&m, &m.slots[0]);
	tap_eq(sum.mapped, 2 * MIB + 24 * KIB, "a range is cut at the slot's end");
	ept_free(&m);
	ept_free(&m);
}

static void has(const char *text, const char *name)
{
	if (!tap_ok(strstr(buf, text), "%s", name))
		tap_diag("no '%s'", text);
}

/* Fills buf with what @print writes. */
static void capture(const struct ept_map *m, void (*print)(FILE *f, const struct ept_map *m))
{
	FILE *f = fmemopen(buf, sizeof(buf), "w");

	memset(buf, 0, sizeof(buf));
	print(f, m);
	if (fclose(f))
		tap_bail("a text that is too long");
}

static void show_mapped(FILE *f, const struct ept_map *m) { ept_show_gpa(f, m, 0x11004); }
static void show_hole(FILE *f, const struct ept_map *m) { ept_show_gpa(f, m, 0x300000); }
static void show_device(FILE *f, const struct ept_map *m) { ept_show_gpa(f, m, 0xfec00010); }
static void show_beyond(FILE *f, const struct ept_map *m) { ept_show_gpa(f, m, 1ULL << 50); }

static void test_text(void)
{
	struct ept_map m;

	make(&m, "one");
	capture(&m, ept_show);
	has("EPT of one: root at host-physical 0x1234000, 9 table pages; largest page 1 GiB\n",
	    "the head");
	has("5 ranges map 8220 KiB; 28 KiB accessed, 8 KiB dirty\n", "sums");
	has("slot 0   0000000000000000-0000000003ffffff     64 MiB  at 0x7f0000000000", "a slot");
	has("mapped 8216 KiB (12.5%)  accessed 24 KiB (0.3%)  dirty 8 KiB (0.1%)", "its shares");
	has("1 MiB  at 0x7f1000000000 in the VMM  read-only\n", "a read-only slot");
	has("  000000010000-000000011fff      8 KiB  1  4 KiB  rwx  WB        AD     0  "
	    "000020000000\n",
	    "a range");
	has("  000000200000-0000009fffff      8 MiB  2  2 MiB  rwx  WB        --     0  "
	    "000040000000\n",
	    "one of large pages");
	has("-         --     -  -             MMIO: every access exits\n", "MMIO");
	tap_ok(!strstr(buf, "SLOT") && !strstr(buf, "in no slot"), "every page is in its slot");
	m.ranges[2].slot = 1;
	capture(&m, ept_show);
	has("000040000000  OUTSIDE ITS SLOT\n", "one of another slot");
	m.ranges[2].slot = 0;
	m.slots[0].bytes = 9 * MIB;
	capture(&m, ept_show);
	has("000040000000  OUTSIDE ITS SLOT\n", "one that reaches over the end");
	m.slots[0].bytes = 64 * MIB;
	m.has_ad = false;
	capture(&m, ept_show);
	has("keeps no accessed and dirty bits", "a CPU without accessed and dirty bits");
	has("WB        ??     0", "does not say that nothing was accessed");
	capture(&m, show_mapped);
	has("slot 0, at 0x7f0000011004 in the VMM", "an address: in the VMM");
	has("mapped to host-physical 0x20001004", "in the host");
	capture(&m, show_hole);
	has("is in slot 0", "a hole is in a slot, too");
	capture(&m, show_device);
	has("in no memory slot: an access to it is a device's\n", "a device's address");
	has("MMIO: every access exits", "that is marked");
	capture(&m, show_beyond);
	has("the tables do not reach so far", "one behind the end");
	has("not mapped: the next access is an EPT violation", "is not mapped");
	m.nr_ranges = m.nr_slots = 0;
	capture(&m, ept_show);
	has("0 ranges map 0 KiB", "a machine without anything");
	ept_free(&m);
}

static json_int_t number(const json_t *json, const char *key)
{
	return json_integer_value(json_object_get(json, key));
}

static void test_json(void)
{
	json_t *json, *ranges, *slots, *one;
	struct ept_map m;

	make(&m, "one");
	json = ept_json(&m);
	ranges = json_object_get(json, "ranges");
	slots = json_object_get(json, "slots");
	tap_eq(json_array_size(ranges), 5, "JSON has the ranges");
	tap_eq(json_array_size(slots), 2, "and the slots");
	one = json_array_get(ranges, 1);
	tap_ok(number(one, "gpa") == 0x10000 && number(one, "hpa") == 0x20000000 &&
	       number(one, "bytes") == 8192 && number(one, "slot") == 0 &&
	       json_is_true(json_object_get(one, "dirty")) &&
	       !strcmp(json_string_value(json_object_get(one, "perms")), "rwx"), "a range");
	tap_ok(json_is_null(json_object_get(json_array_get(ranges, 3), "slot")),
	       "one without slot");
	tap_eq(number(json_array_get(slots, 0), "mapped"), 8 * MIB + 24 * KIB, "what a slot has");
	json_decref(json);
	json = ept_gpa_json(&m, 0x11004);
	tap_eq(number(json, "hpa"), 0x20001004, "an address");
	json_decref(json);
	json = ept_gpa_json(&m, 0xfec00010);
	tap_ok(json_is_null(json_object_get(json, "hpa")) &&
	       json_is_null(json_object_get(json, "slot")) &&
	       json_is_true(json_object_get(json_object_get(json, "range"), "mmio")), "MMIO");
	json_decref(json);
	ept_free(&m);
}

static void test_page(void)
{
	struct ept_map m;

	make(&m, "a</script>\"\\\n\xff");
	capture(&m, ept_html);
	has("const machine = \"a\\u003c/script\\u003e\\u0022\\u005c\\u000a\\u00ff\"",
	    "a name cannot end the script");
	has("default-src 'none'", "the page loads nothing");
	has("\n[65536,536870912,8192,1,31,6,0],\n", "a range");
	has("\n[4273995776,0,4096,1,256,6,-1],\n", "one without slot");
	has("\n[1,4293918720,1048576,\"0x7f1000000000\",2],\n", "a slot");
	tap_ok(!strstr(buf, "http:") && !strstr(buf, "https:") && !strstr(buf, "src=\""),
	       "nothing from elsewhere");
	tap_ok(!strcmp(buf + strlen(buf) - 8, "</html>\n"), "it is whole");
	ept_free(&m);
}

static int run(const char *one, const char *two, const char *three)
{
	char words[4][80] = { "ept" };
	const char *given[] = { one, two, three };
	char *argv[5];
	int argc = 1;

	argv[0] = words[0];
	for (; argc < 4 && given[argc - 1]; argc++) {
		snprintf(words[argc], sizeof(words[0]), "%s", given[argc - 1]);
		argv[argc] = words[argc];
	}
	argv[argc] = NULL;
	return cmd_ept(argc, argv);
}

static void test_command(void)
{
	tap_eq(run(NULL, NULL, NULL), EXIT_ERROR, "no machine");
	tap_eq(run("nobody", NULL, NULL), EXIT_ERROR, "a machine that does not run");
	tap_eq(run("../x", NULL, NULL), EXIT_ERROR, "no name at all");
	tap_eq(run("--gpa", "zero", "one"), EXIT_ERROR, "no address");
	tap_eq(run("--gpa", "0x10000000000000", "one"), EXIT_ERROR, "one of 53 bits");
	tap_eq(run("--html", "x.html", "--json"), EXIT_ERROR, "no machine, and too much");
	tap_eq(run("one", "two", NULL), EXIT_ERROR, "two machines");
	tap_eq(run("--pid", "1x", NULL), EXIT_ERROR, "no process");
}

/* Many ranges, for somebody to look at. */
static int write_sample(const char *path)
{
	FILE *f = fopen(path, "w");
	struct ept_map m;
	u64 gpa;
	u32 x = 1;

	make(&m, "sample");
	m.nr_ranges = 0;
	for (gpa = 0; gpa < 64 * MIB && f; gpa += 4 * KIB) {
		x = x * 1103515245 + 12345;
		if (gpa >= 32 * MIB && gpa < 48 * MIB) {
			if (!(gpa & (2 * MIB - 1)))
				add(&m, gpa, 0x80000000 + gpa, 2 * MIB, 2,
				    RWX | (gpa & (4 * MIB) ? A : A | D), 0);
		} else if ((x >> 16 & 7) > gpa / (10 * MIB)) {
			add(&m, gpa, 0x100000000 + gpa, 4 * KIB, 1, RWX | (x >> 20 & 1 ? A : 0) |
			    ((x >> 20 & 3) == 3 ? D : 0), 0);
		}
	}
	add(&m, 0xfee00000, 0, 4 * KIB, 1, MINIKVM_INSPECT_EPT_MMIO, MINIKVM_INSPECT_NO_SLOT);
	add(&m, 0xfff00000, 0x50000000, 4 * KIB, 1, MINIKVM_INSPECT_EPT_READ | A, 1);
	if (f)
		ept_html(f, &m);
	ept_free(&m);
	return !f || fclose(f);
}

int main(int argc, char **argv)
{
	if (argc == 2)
		return write_sample(argv[1]);
	setenv("MKVM_RUNTIME_DIR", "/nonexistent", 1);
	tap_plan(0);
	if (!freopen("/dev/null", "w", stderr))
		tap_bail("freopen");
	test_ranges();
	test_text();
	test_json();
	test_page();
	test_command();
	return tap_done();
}
