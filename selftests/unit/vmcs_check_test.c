// SPDX-License-Identifier: GPL-2.0
/*
 * The VM-entry checker on made-up VMCSs: a valid one of each kind keeps all rules, and the change
 * made to break a rule breaks that one and no other. vmcs_rules.ko asks a CPU the same. Then
 * `mkvm vmcs check` on files of such VMCSs.
 */
#include <unistd.h>

#include "inspect/entry_check.h"
#include "tap.h"

#include "../vmx/image.h"

#define DATA_PAGE	0x10000ull
#define SHADOW_PAGE	0x11000ull

/* A CPU with every control that a rule asks about, but without EPT accessed and dirty flags. */
static const u64 caps[IMAGE_CAPS] = {
	[0x0] = 0x00da040000000004 | 1ull << 55,	/* IA32_VMX_BASIC */
	[0x5] = 0x000401e0,				/* MISC: activity states, 4 CR3 targets */
	[0x6] = 0x80000021, [0x7] = 0xffffffff,		/* CR0 */
	[0x8] = 0x2000, [0x9] = 0x3767ff,		/* CR4 */
	[0xb] = 0x27fffull << 32 | 0x2460000ull << 32,	/* secondary controls */
	[0xc] = 0x0f0104114141 & ~(1ull << 21),		/* EPT and VPID */
	[0xd] = 0x000000ff00000016,			/* true pin-based controls */
	[0xe] = 0xfff9fffe04006172,			/* true primary controls */
	[0xf] = 0x01ffffff00036dfb,			/* true VM-exit controls */
	[0x10] = 0x0003ffff000011fb,			/* true VM-entry controls */
	[0x11] = 1,					/* VM functions */
};

static struct image_env env = {
	.eptp = 0x20000 | 3 << 3 | 6,
	.data = DATA_PAGE,
	.shadow = SHADOW_PAGE,
	.host_cr0 = 0x80050033,
	.host_cr3 = 0x1000,
	.host_cr4 = 0x3726e0,
	.host_efer = 0xd01,
	.host_pat = 0x0407050600070106,
	.host_rip = 0xffffffff81000000,
	.host_gs_base = 0xffff888000000000,
	.host_tr_base = 0xfffffe0000003000,
	.host_gdtr_base = 0xfffffe0000001000,
	.host_idtr_base = 0xfffffe0000000000,
	.host_sysenter_esp = 0xfffffe0000003000,
	.host_sysenter_eip = 0xffffffff81001000,
	.host_sysenter_cs = 0x10,
	.host_cs = 0x10, .host_ss = 0x18, .host_tr = 0x40,
};

static u8 data_page[4096], shadow_page[4096];

static u64 get_field(void *image, u32 encoding)
{
	return image_get(image, encoding);
}

static u64 get_msr(void *image, u32 index)
{
	(void)image;
	return image_cap(&env, index);
}

static bool get_memory(void *image, u64 pa, void *buf, u32 len)
{
	const u8 *page = pa >> 12 == DATA_PAGE >> 12 ? data_page :
			 pa >> 12 == SHADOW_PAGE >> 12 ? shadow_page : NULL;

	(void)image;
	if (page)
		memcpy(buf, page + (pa & 4095), len);
	return page;
}

static struct vmcs_source source_of(struct image *im)
{
	return (struct vmcs_source) { get_field, get_msr, get_memory, im, 46, 48 };
}

static void show(const struct vmcs_finding *found, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n && i < 8; i++)
		tap_diag("broken: %s (%s)", found[i].rule->name, found[i].section->title);
}

static void test_valid(void)
{
	struct vmcs_finding found[8];
	struct vmcs_source src;
	struct image im;
	int base;

	for (base = 0; base < NR_BASES; base++) {
		image_init(&im, &env, base);
		src = source_of(&im);
		if (!tap_eq(vmcs_check_all(&src, found, 8), 0, "a valid VMCS of a %s guest",
			    image_base_name(base)))
			show(found, vmcs_check_all(&src, found, 8));
		src.memory = NULL;
		tap_eq(vmcs_check_all(&src, found, 8), 0, "... and without memory");
	}
}

static void test_breaks(void)
{
	const struct rule_break *b;
	struct vmcs_finding found[8], first;
	struct vmcs_source src;
	struct image im;
	unsigned int n;

	for (b = rule_breaks; b->rule; b++) {
		image_init(&im, &env, b->base);
		image_break(&im, &env, b);
		src = source_of(&im);
		n = vmcs_check_all(&src, found, 8);
		if (!tap_ok(n == 1 && !strcmp(found[0].rule->name, b->rule),
			    "%s is broken alone", b->rule))
			show(found, n);
		if (n != 1)
			continue;
		tap_ok(vmcs_check_area(&src, found[0].section->area, &first) &&
		       first.rule == found[0].rule, "... and is the first of its area");
	}
}

/* Each rule has one name, words, and one break. */
static void test_tables(void)
{
	const struct vmcs_section *section, *other;
	const struct vmcs_rule *rule, *twin;
	const struct rule_break *b;
	unsigned int rules = 0, breaks, names, bad = 0;

	for (section = vmcs_sections; section->title; section++) {
		for (rule = section->rules; rule->name; rule++) {
			breaks = names = 0;
			for (b = rule_breaks; b->rule; b++)
				breaks += !strcmp(b->rule, rule->name);
			for (other = vmcs_sections; other->title; other++) {
				for (twin = other->rules; twin->name; twin++)
					names += !strcmp(twin->name, rule->name);
			}
			if (breaks != 1 || names != 1 || !rule->text || !rule->holds) {
				tap_diag("%s: %u breaks, %u times", rule->name, breaks, names);
				bad++;
			}
			rules++;
		}
	}
	tap_eq(bad, 0, "each rule has a name of its own, words and a break");
	tap_ok(rules >= 60, "there are %u rules, at least 60", rules);
}

/* Whatever a VMCS holds, the checker ends, and finds something. */
static void test_noise(void)
{
	struct vmcs_finding found[1];
	struct vmcs_source src;
	unsigned int round, i;
	bool always = true;
	struct image im;
	u64 x = 1;

	for (round = 0; round < 2000; round++) {
		image_init(&im, &env, round % NR_BASES);
		for (i = 0; i < im.nr; i++) {
			x = x * 6364136223846793005ull + 1442695040888963407ull;
			im.field[i].value = x ^ x >> 29;
		}
		src = source_of(&im);
		src.phys_bits = x >> 58;
		src.linear_bits = x >> 50 & 63;
		always &= vmcs_check_all(&src, found, 1) > 0;
	}
	tap_ok(always, "noise is never a valid VMCS");
}

/* ---- the command ---- */
static char path[] = "/tmp/vmcs_check_test.XXXXXX";

static void save(enum image_base base, const char *rule, bool caps_known)
{
	static struct vmcs_dump d;
	const struct rule_break *b;
	struct image im;
	unsigned int i;

	memset(&d, 0, sizeof(d));
	image_init(&im, &env, base);
	for (b = rule_breaks; rule && b->rule; b++) {
		if (!strcmp(b->rule, rule))
			image_break(&im, &env, b);
	}
	for (i = 0; i < im.nr; i++) {
		if (dump_add(&d, im.field[i].encoding, im.field[i].value))
			tap_bail("field 0x%x", im.field[i].encoding);
	}
	for (i = 0; caps_known && i < IMAGE_CAPS; i++) {
		d.caps[i] = env.caps[i];
		d.has_cap |= BIT(i);
	}
	d.phys_bits = 46;
	d.linear_bits = 48;
	if (dump_save(&d, path))
		tap_bail("%s", path);
}

/* What the command prints about the file; *status: how it ends. */
static const char *check(bool json, int *status)
{
	static char text[8192];
	char *argv[] = { "vmcs", path, "check", json ? "--json" : NULL, NULL };
	int out = dup(STDOUT_FILENO);
	FILE *f = tmpfile();
	size_t n;

	if (!f || out < 0)
		tap_bail("a file for the output");
	fflush(stdout);
	dup2(fileno(f), STDOUT_FILENO);
	*status = cmd_vmcs(json ? 4 : 3, argv);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	close(out);
	rewind(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

static void test_command(void)
{
	const char *text;
	int status, fd = mkstemp(path);

	if (fd < 0)
		tap_bail("%s", path);
	close(fd);
	save(BASE_LONG, NULL, true);
	text = check(false, &status);
	tap_ok(!status && strstr(text, "\n0 of 2"), "check: a valid VMCS, status 0");
	save(BASE_LONG, "guest-cr3", true);
	text = check(false, &status);
	tap_ok(status == 2 && strstr(text, "broken: guest-cr3\n") &&
	       strstr(text, "guest CR3 0x4000000000001000") && strstr(text, "exit reason 33") &&
	       strstr(text, "\"Checks on Guest Control Registers, Debug Registers, and MSRs\""),
	       "check: a broken rule in words, status 2");
	text = check(true, &status);
	tap_ok(status == 2 && strstr(text, "\"rule\": \"guest-cr3\"") &&
	       strstr(text, "\"rules\": 2"), "check --json: the same");
	save(BASE_V8086, "guest-cs-rights-v8086", true);
	text = check(false, &status);
	tap_ok(status == 2 && strstr(text, "guest-cs-rights-v8086") && strstr(text, "\n1 of 2"),
	       "check: a rule about a segment");
	save(BASE_LONG, "guest-cr3", false);
	text = check(false, &status);
	tap_ok(status == 1 && !*text, "check: no capability MSRs is an error");
	unlink(path);
	check(false, &status);
	tap_eq(status, 1, "check: so is no file");
	tap_ok(entry_check_rule("guest-cr3") && !entry_check_rule("guest-cr9"), "rules have names");
}

int main(void)
{
	memcpy(env.caps, caps, sizeof(caps));
	image_data_page(data_page, &env);
	image_shadow_page(shadow_page, &env);
	test_valid();
	test_breaks();
	test_tables();
	test_noise();
	test_command();
	return tap_done();
}
