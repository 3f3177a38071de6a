// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the tests of what `mkvm vmcs` says: words, control limits, exits, comparisons, and dumps
 * that are not what they should be.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inspect/apic.h"
#include "inspect/attach.h"
#include "inspect/controls.h"
#include "inspect/exits.h"
#include "inspect/fields.h"
#include "inspect/options.h"
#include "inspect/save.h"
#include "inspect/vmcs.h"
#include "minikvm_inspect.h"
#include "report.h"
#include "tap.h"

static char dir[] = "/tmp/vmcs-test-XXXXXX";
static char errors[64];

static void is_text(const struct text *t, const char *want, const char *name)
{
	if (!tap_ok(!strcmp(t->buf, want), "%s", name))
		tap_diag("got '%s', want '%s'", t->buf, want);
}

#define WORD_IS(word, value, want)					\
do {									\
	struct text __t = { .len = 0 };					\
									\
	word_text(&__t, &(word), (value));				\
	is_text(&__t, (want), #word " " #value);			\
} while (0)

static void test_words(void)
{
	struct text t = { .len = 0 };
	char more[2000];

	WORD_IS(word_cr0, 0x80050033, "PE MP ET NE WP AM PG");
	WORD_IS(word_cr0, 0, "");
	WORD_IS(word_cr4, 1ULL << 63 | 0x20, "PAE reserved bits 63");
	WORD_IS(word_rflags, 0x3202, "IF IOPL=3");
	WORD_IS(word_efer, 0xd01, "SCE LME LMA NXE");
	WORD_IS(word_activity, 1, "HLT");
	WORD_IS(word_activity, 0, "active");
	WORD_IS(word_activity, 9, "reserved (9)");
	WORD_IS(word_eptp, 0x5e, "type=WB walk=4 levels accessed/dirty-flags");
	WORD_IS(word_eptp, 0x01, "type=reserved (1) walk=reserved (0)");
	WORD_IS(word_interruptibility, 0x3, "blocking-by-STI blocking-by-MOV-SS");
	WORD_IS(word_selector, 0x33, "RPL=3 index=6");
	WORD_IS(word_dr7, 0x400, "");

	word_changes(&t, &word_rflags, 0x246, 0x3202);
	is_text(&t, "-PF, -ZF, IOPL 0 -> 3", "changes of a word");
	t = (struct text){ .len = 0 };
	word_changes(&t, &word_cr0, 1ULL << 40, 1ULL << 41 | 1);
	is_text(&t, "+PE, +bits 41, -bits 40", "changes of reserved bits");
	t = (struct text){ .len = 0 };
	bits_text(&t, 0xc00000000000007bULL);
	is_text(&t, "0-1 3-6 62-63", "ranges of bits");
	t = (struct text){ .len = 0 };
	memset(more, 'x', sizeof(more) - 1);
	more[sizeof(more) - 1] = '\0';
	text_add(&t, "%s", more);
	text_item(&t, "%s", more);
	tap_ok(t.len == sizeof(t.buf) - 1 && !t.buf[t.len], "a text that is too long is cut");
}

static void rights(u32 value, const char *want)
{
	struct text t = { .len = 0 };

	access_rights_text(&t, value);
	is_text(&t, want, want);
}

static void test_rights(void)
{
	struct text t = { .len = 0 };

	rights(0xa09b,
	       "code, execute/read, accessed, DPL 0, present, 64-bit (L), limit in 4 KiB (G)");
	rights(0xc0f3,
	       "data, read/write, accessed, DPL 3, present, 32-bit (D/B), limit in 4 KiB (G)");
	rights(0x8b, "32/64-bit TSS (busy), DPL 0, present");
	rights(0x82, "LDT, DPL 0, present");
	rights(0x10000, "unusable");
	rights(0x19, "code, execute only, accessed, DPL 0, not present");
	rights(0x801f1c,
	       "code, execute only, conforming, DPL 0, not present, AVL, reserved bits 8-11 23");
	pat_text(&t, 0x0407050600070106ULL);
	is_text(&t, "PA0=WB PA1=WC PA2=UC- PA3=UC PA4=WB PA5=WP PA6=UC- PA7=WT", "IA32_PAT");
}

/* ---- exits ----------------------------------------------------------------------------------- */

static void is_exit(u32 reason, u64 qualification, u32 event, const char *want)
{
	struct text t = { .len = 0 };

	exit_qualification_text(&t, reason, qualification, event);
	is_text(&t, want, *want ? want : "nothing to say");
}

static void test_exits(void)
{
	struct text t = { .len = 0 };
	u32 i, named = 0;

	is_exit(30, 0x03f80000, 0, "OUT port 0x3f8, 1 byte");
	is_exit(30, 0x00cf003b | 0x40, 0, "REP INS port 0xcf, 4 bytes, port in the instruction");
	is_exit(28, 0x003, 0, "MOV to CR3 from RAX");
	is_exit(28, 0xf18, 0, "MOV from CR8 to R15");
	is_exit(28, 0x20, 0, "CLTS");
	is_exit(28, 0x12340030, 0, "LMSW of 0x1234 from a register");
	is_exit(29, 0x217, 0, "MOV from DR7 to RDX");
	is_exit(48, 0x182, 0, "write; mapped for: nothing, by a linear address");
	is_exit(48, 0x8a | 0x1000, 0,
		"write; mapped for: read, by the guest's page walk, NMI unblocked by IRET");
	is_exit(48, 0, 0, "no access; mapped for: nothing");
	is_exit(44, 0x1300, 0, "linear write at offset 0x300");
	is_exit(44, 0x9300, 0, "access of a reserved type at offset 0x300");
	is_exit(9, 0x80000028, 0, "to TSS selector 0x0028 by JMP");
	is_exit(0, 0xdead000, 0x80000b0e,
		"hardware exception #PF, vector 14, with error code, linear address 0xdead000");
	is_exit(0, 0x4001, 0x80000301, "hardware exception #DB, vector 1, B0 BS");
	is_exit(0, 0, 0x80000202, "NMI, vector 2");
	is_exit(0, 0, 0, "");
	is_exit(33 | 0x80000000, 4, 0, "the VMCS link pointer is invalid");
	is_exit(34 | 0x80000000, 3, 0, "entry 3 of the VM-entry MSR-load area");
	is_exit(10, 77, 0, "");
	is_exit(65535, ~0ULL, ~0U, "");
	is_exit(4, 0x10, 0, "vector 0x10: starts at 0x10000");

	exit_reason_text(&t, 0x80000021);
	is_text(&t, "33 VM-entry failure due to invalid guest state [VM-entry-failure]",
		"reason 33");
	t = (struct text){ .len = 0 };
	exit_reason_text(&t, 0x08000023);
	is_text(&t, "35 (not in the manual) [enclave-mode]", "reason 35 is reserved");
	for (i = 0; i < 65536; i++)
		named += !!exit_reason_name(i);
	tap_ok(named > 70, "%u reasons have a name", named);
	tap_ok(!exit_reason_name(35) && !exit_reason_name(80), "reserved ones have none");
	tap_ok(!instruction_error_name(0) && !instruction_error_name(14) &&
	       !instruction_error_name(~0U) && strstr(instruction_error_name(8), "host-state"),
	       "VM-instruction errors");
}

static void is_instruction(u32 reason, u64 qualification, u32 info, const char *want)
{
	struct text t = { .len = 0 };

	instruction_text(&t, reason, qualification, info);
	is_text(&t, want, *want ? want : "nothing to say of an instruction");
}

static void test_instructions(void)
{
	is_instruction(10, 0, ~0U, "");
	is_instruction(30, 0, ~0U, "");
	is_instruction(30, 0x10, 2 << 7 | 3 << 15, "64-bit address, segment DS");
	is_instruction(30, 0x18, 1 << 7, "32-bit address");
	is_instruction(46, 0, 2U << 28 | 3 << 15 | 2 << 7 | 1 << 22 | 3 << 23,
		       "LGDT, DS:[RBX + displacement], 64-bit address, 16-bit operand");
	is_instruction(47, 0, 3U << 28 | 1 << 10 | 9 << 3, "LTR, R9");
	is_instruction(53, 0, 0xf0000000 | 2 << 7 | 3 << 15 | 1 << 27 | 6 << 18 | 3,
		       "type in R15, DS:[RSI * 8 + displacement], 64-bit address");
	is_instruction(23, 0, 1U << 28 | 1 << 10 | 2 << 3, "RDX, encoding in RCX");
	is_instruction(61, 0, 12 << 3 | 2 << 11, "to R12, 64-bit");
	is_instruction(63, 0, 7 << 7 | 7 << 15 | 1 << 22 | 1 << 27,
		       "?:[displacement], reserved-size address");
}

/* Nothing a field can hold makes any of it fall over. */
static void test_any_value(void)
{
	static const u64 values[] = { 0, 1, ~0ULL, 0x5555555555555555, 0xaaaaaaaaaaaaaaaa };
	struct vmcs_output out = { .f = fopen("/dev/null", "w") };
	static struct vmcs_dump d, previous;
	static const u32 codes[] = {
#define CODE(encoding, id, name) encoding,
		MINIKVM_VMCS_FIELDS(CODE)
	};
	unsigned int v, i, missing = 0, differ = 0;
	json_t *json;

	for (v = 0; v < ARRAY_SIZE(values); v++) {
		previous = d;
		memset(&d, 0, sizeof(d));
		for (i = 0; i < ARRAY_SIZE(codes); i++) {
			int digits = vmcs_field_digits(codes[i]);
			u64 max = digits == 16 ? ~0ULL : (1ULL << 4 * digits) - 1;

			if (dump_add(&d, codes[i], values[v] & max))
				tap_bail("field 0x%x", codes[i]);
			missing += !section_of(codes[i]);
		}
		vmcs_show(&out, &d);
		differ += vmcs_diff(&out, &previous, &d);
		json = vmcs_diff_json(&previous, &d);
		json_decref(json);
		json = vmcs_show_json(&d);
		tap_eq(json_array_size(json_object_get(json, "decoded")), ARRAY_SIZE(codes),
		       "all fields 0x%llx are told", values[v]);
		json_decref(json);
	}
	tap_eq(missing, 0, "every field has its section");
	tap_ok(differ >= 4 * ARRAY_SIZE(codes), "and each difference is seen");
	fclose(out.f);
}

/* ---- control words --------------------------------------------------------------------------- */

static const struct control *control(u32 encoding)
{
	const struct control *c = control_find(encoding);

	if (!c)
		tap_bail("no control word 0x%x", encoding);
	return c;
}

static void test_controls(void)
{
	const struct control *pin = control(VMCS_F_PIN_BASED_VM_EXEC_CONTROL);
	const struct control *third = control(VMCS_F_TERTIARY_VM_EXEC_CONTROL);
	struct vmcs_dump d = { .has_cap = 0 };
	u64 required = 1, allowed = 1;
	unsigned int i, k, bad = 0;

	tap_eq(control_limits(pin, &d, &required, &allowed), 0, "limits that are not known");
	d.caps[1] = 0x7f00000016;
	d.caps[0xd] = 0x7f00000006;
	d.caps[0x12] = 0x10;
	d.has_cap = 1 << 1 | 1 << 0xd | 1 << 0x12;
	tap_eq(control_limits(pin, &d, &required, &allowed), 0x481, "by IA32_VMX_PINBASED_CTLS");
	tap_ok(required == 0x16 && allowed == 0x7f, "required and allowed bits");
	d.caps[0] = 1ULL << 55;
	d.has_cap |= 1;
	tap_eq(control_limits(pin, &d, &required, &allowed), 0x48d, "by the TRUE one");
	tap_eq(required, 0x06, "which requires less");
	tap_eq(control_limits(third, &d, &required, &allowed), 0x492, "the tertiary controls");
	tap_ok(!required && allowed == 0x10, "have 64 bits to allow");
	tap_ok(!control_find(VMCS_F_GUEST_CR0), "CR0 is no control word");

	d.caps[6] = 0x80000021;
	d.caps[7] = 0xffffffff;
	d.has_cap |= 3 << 6;
	tap_ok(fixed_bits(&d, 0, true, &required, &allowed) && required == 0x80000021,
	       "CR0 of a guest");
	dump_add(&d, VMCS_F_CPU_BASED_VM_EXEC_CONTROL, 0x80000000);
	dump_add(&d, VMCS_F_SECONDARY_VM_EXEC_CONTROL, 0x80);
	tap_ok(fixed_bits(&d, 0, true, &required, &allowed) && required == 0x20,
	       "CR0 of an unrestricted guest");
	tap_ok(fixed_bits(&d, 0, false, &required, &allowed) && required == 0x80000021,
	       "CR0 of the host");
	tap_ok(!fixed_bits(&d, 4, true, &required, &allowed), "CR4 is not known");
	/* The order that word_text() relies on, and names that no two bits share. */
	for (i = 0; i < nr_controls; i++) {
		const struct word_part *part = controls[i].word.parts;

		for (k = 1; k < controls[i].word.nr_parts; k++)
			bad += part[k].low <= part[k - 1].high ||
			       !strcmp(part[k].name, part[k - 1].name);
	}
	tap_eq(bad, 0, "the tables of bits are in order");
}

/* ---- bitmaps and interrupt chips ------------------------------------------------------------- */

static char printed[65536];

static void has(const char *text, const char *name)
{
	if (!tap_ok(strstr(printed, text), "%s", name))
		tap_diag("no '%s' in %.400s", text, printed);
}

static FILE *begin_print(void)
{
	memset(printed, 0, sizeof(printed));
	return fmemopen(printed, sizeof(printed), "w");
}

static void clear_bit_of(u8 *map, unsigned int bit)
{
	map[bit / 8] &= (u8)~(1 << bit % 8);
}

static void test_bitmaps(void)
{
	static struct vmcs_bitmaps b;
	struct vmcs_output out = { .f = begin_print() };
	json_t *json, *list;
	unsigned int port;

	bitmaps_show(&out, &b);
	fclose(out.f);
	has("MSR bitmap: not used", "no MSR bitmap");
	has("every IN and OUT exits", "no I/O bitmaps");
	json = bitmaps_json(&b);
	tap_ok(json_is_null(json_object_get(json, "ports-without-exit")), "null in JSON");
	json_decref(json);

	memset(&b, 0xff, sizeof(b));
	clear_bit_of(b.msr, 0x10);
	clear_bit_of(b.msr + 1024, 0x1fff);
	clear_bit_of(b.msr + 2048, 0x174);
	clear_bit_of(b.msr + 2048, 0x175);
	clear_bit_of(b.msr + 3072, 0x80);
	for (port = 0x7ffe; port < 0x8003; port++)
		clear_bit_of(b.io, port);
	clear_bit_of(b.io, 0xffff);
	out.f = begin_print();
	bitmaps_show(&out, &b);
	fclose(out.f);
	has("RDMSR of\n    0x10  TIME_STAMP_COUNTER\n    0xc0001fff  \n  WRMSR", "reads of MSRs");
	has("WRMSR of\n    0x174-0x175  SYSENTER_CS\n    0xc0000080  EFER\nI/O", "writes of MSRs");
	has("    0x7ffe-0x8002  \n    0xffff  \n", "ports of both bitmaps");
	json = bitmaps_json(&b);
	list = json_array_get(json_object_get(json, "ports-without-exit"), 0);
	tap_ok(json_integer_value(json_array_get(list, 0)) == 0x7ffe &&
	       json_integer_value(json_array_get(list, 1)) == 0x8002, "as JSON");
	json_decref(json);
}

static void set_register(struct minikvm_inspect_lapic *l, u32 offset, u32 value)
{
	memcpy(l->regs.regs + offset, &value, sizeof(value));
}

static void test_chips(void)
{
	struct minikvm_inspect_lapic l = { .mp_state = 3, .has_apic = 1, .apic_base = 0xfee00d00 };
	struct minikvm_ioapic_state io = { .base_address = 0xfec00000, .id = 2, .irr = 1 << 4 };
	FILE *f = begin_print();
	json_t *json;

	set_register(&l, 0xf0, 0x1ff);
	set_register(&l, 0x320, 0x400ec);
	set_register(&l, 0x350, 0x10700);
	set_register(&l, 0x3e0, 0xb);
	set_register(&l, 0x270, 0x80000000);
	set_register(&l, 0x110, 0x1);
	lapic_show(f, 1, &l);
	fclose(f);
	has("Local APIC of vCPU 1, which is halted\n", "whose local APIC");
	has("0xfee00d00  at 0xfee00000, of the bootstrap processor, x2APIC mode\n", "its mode");
	has("0x000001ff  vector=0xff enabled\n", "SVR");
	has("0x000400ec  vector=0xec mode=TSC-deadline\n", "LVT timer");
	has("0x00010700  mode=ExtINT masked\n", "LVT LINT0");
	has("divides by 1\n", "divider");
	has("requested (IRR)              0xff\n", "IRR");
	has("in service (ISR)             0x20\n", "ISR");
	has("level-triggered (TMR)        none\n", "TMR");
	json = lapic_json(1, &l);
	tap_eq(json_integer_value(json_array_get(json_object_get(json, "isr"), 0)), 0x20,
	       "as JSON");
	json_decref(json);
	tap_eq(lapic_register(&l, 0x3fd), 0, "behind the last register there is nothing");
	l = (struct minikvm_inspect_lapic){ .mp_state = 77 };
	f = begin_print();
	lapic_show(f, 0, &l);
	fclose(f);
	has("in an unknown state\n  in the VMM", "chips in the VMM");

	io.redirtbl[4].bits = 0x0300000000000931;
	io.redirtbl[23].bits = ~0ULL;
	f = begin_print();
	ioapic_show(f, &io);
	fclose(f);
	has("I/O APIC at 0xfec00000, ID 2\n  pin 0   0x0000000000000000  mode=fixed\n", "I/O APIC");
	has("vector=0x31 mode=lowest-priority logical destination=3  (requested)\n", "a pin");
	has("pin 23  0xffffffffffffffff  vector=0xff mode=ExtINT", "the last pin");
	json = ioapic_json(&io);
	tap_eq(json_array_size(json_object_get(json, "pins")), 24, "pins as JSON");
	json_decref(json);
}

/* ---- dumps ----------------------------------------------------------------------------------- */

static const char *path_of(const char *name)
{
	static char path[2][64];
	static unsigned int turn;

	turn ^= 1;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

static void write_file(const char *path, const char *text, size_t len)
{
	FILE *f = fopen(path, "w");

	if (!f || fwrite(text, 1, len, f) != len || fclose(f))
		tap_bail("cannot write %s", path);
}

/* What was reported since the last call. */
static const char *reported(void)
{
	static char buf[512];
	FILE *f = fopen(errors, "r");
	size_t n = f ? fread(buf, 1, sizeof(buf) - 1, f) : 0;

	buf[n] = '\0';
	if (f)
		fclose(f);
	if (ftruncate(STDERR_FILENO, 0) || lseek(STDERR_FILENO, 0, SEEK_SET))
		tap_bail("stderr");
	return buf;
}

static void told(const char *want, const char *name)
{
	const char *got = reported();

	if (!tap_ok(strstr(got, want), "%s", name))
		tap_diag("reported: %.300s", got);
}

static void refused(const char *text, const char *want)
{
	static struct vmcs_dump d;
	const char *path = path_of("bad.json");

	write_file(path, text, strlen(text));
	tap_eq(dump_load(&d, path), -1, "refused: %.60s", text);
	told(want, want);
}

#define HEAD "{\"format\":\"minikvm-vmcs-1\","

static void test_bad_dumps(void)
{
	static struct vmcs_dump d;
	static char big[DUMP_MAX_BYTES + 2];

	refused("", "line");
	refused("{", "line");
	refused("[]", "format");
	refused("{\"format\":\"minikvm-vmcs-2\",\"fields\":{\"0x4000\":\"0x1\"}}", "format");
	refused(HEAD "\"fields\":[]}", "must be objects");
	refused(HEAD "\"fields\":{}}", "has no field");
	refused(HEAD "\"caps\":3,\"fields\":{\"0x4000\":\"0x1\"}}", "must be objects");
	refused(HEAD "\"fields\":{\"0x4001\":\"0x1\"}}", "no full encoding");
	refused(HEAD "\"fields\":{\"0x14000\":\"0x1\"}}", "no full encoding");
	refused(HEAD "\"fields\":{\"0x5000\":\"0x1\"}}", "no full encoding");
	refused(HEAD "\"fields\":{\"0x100004000\":\"0x1\"}}", "no encoding as");
	refused(HEAD "\"fields\":{\"4000\":\"0x1\"}}", "no encoding as");
	refused(HEAD "\"fields\":{\"0x4000\":1}}", "no number as");
	refused(HEAD "\"fields\":{\"0x4000\":\"0x\"}}", "no number as");
	refused(HEAD "\"fields\":{\"0x4000\":\"0x-1\"}}", "no number as");
	refused(HEAD "\"fields\":{\"0x4000\":\"0x1 \"}}", "no number as");
	refused(HEAD "\"fields\":{\"0x6800\":\"0x10000000000000000\"}}", "no number as");
	refused(HEAD "\"fields\":{\"0x4000\":\"0x100000000\"}}", "wider than the field");
	refused(HEAD "\"fields\":{\"0x0800\":\"0x10000\"}}", "wider than the field");
	refused(HEAD "\"fields\":{\"0x4000\":\"0x1\",\"0x04000\":\"0x1\"}}", "is there twice");
	refused(HEAD "\"fields\":{\"0x4000\":\"0x1\",\"0x4000\":\"0x1\"}}", "duplicate");
	refused(HEAD "\"caps\":{\"0x47f\":\"0x1\"},\"fields\":{\"0x4000\":\"0x1\"}}",
		"no VMX capability");
	refused(HEAD "\"caps\":{\"0x480\":null},\"fields\":{\"0x4000\":\"0x1\"}}", "no number as");
	refused(HEAD "\"vcpu\":-1,\"fields\":{\"0x4000\":\"0x1\"}}", "\"vcpu\" must be");
	refused(HEAD "\"exits\":\"9\",\"fields\":{\"0x4000\":\"0x1\"}}", "\"exits\" must be");
	memset(big, ' ', sizeof(big) - 1);
	refused(big, "more than 1024 KiB");
	tap_eq(dump_load(&d, path_of("none")), -1, "a file that is not there");
	told("cannot open", "is named");
	tap_eq(dump_load(&d, dir), -1, "a folder");
	told("cannot read", "is no file");
}

static void test_dumps(void)
{
	static struct vmcs_dump d, again;
	const char *path = path_of("good.json");
	unsigned int i;
	struct stat st;

	snprintf(d.machine, sizeof(d.machine), "one");
	d.vcpu = 3;
	d.exits = 77;
	d.caps[0] = 0x1234567890abcdefULL;
	d.caps[DUMP_NR_CAPS - 1] = 5;
	d.has_cap = 1 | 1U << (DUMP_NR_CAPS - 1);
	/* Descending, to be sorted. */
	tap_ok(!dump_add(&d, 0x6ffe, ~0ULL) && !dump_add(&d, 0x4000, 0xffffffff) &&
	       !dump_add(&d, 0x0800, 0xffff), "fields are added");
	tap_ok(d.fields[0].encoding == 0x800 && d.fields[2].encoding == 0x6ffe, "in their order");
	tap_ok(dump_value(&d, 0x4000) == 0xffffffff && !dump_find(&d, 0x4002) &&
	       !dump_value(&d, 0x4002), "and found");
	tap_eq(dump_save(&d, path), 0, "saved");
	tap_eq(dump_load(&again, path), 0, "and loaded");
	tap_ok(!memcmp(&d, &again, sizeof(d)), "it is the same");
	tap_eq(dump_save(&d, "/nonexistent/folder/x.json"), -1, "no such folder");
	told("cannot write /nonexistent/folder/x.json", "is named");
	tap_ok(dump_save(&d, path_of("good.json")) == 0 && !stat(path_of("good.json"), &st) &&
	       st.st_size > 100, "it is replaced");
	tap_eq(dump_save(&d, "/dev/full"), -1, "a full disk");
	told("/dev/full", "is named");
	for (i = 0x2; d.nr_fields < DUMP_MAX_FIELDS; i += 2)
		dump_add(&d, i & 0xffe, 0);
	tap_ok(dump_add(&d, 0x6000, 0), "too many fields");
}

/* Dumps with bytes that are not as they were: most are refused, none does harm. */
static void test_damaged_dumps(void)
{
	struct vmcs_output out = { .f = fopen("/dev/null", "w") };
	static struct vmcs_dump good, d;
	static char text[65536], damaged[sizeof(text)];
	const char *path = path_of("good.json");
	unsigned int round, k, loaded = 0, x = 1;
	size_t len;
	FILE *f;

	if (dump_load(&good, path))
		tap_bail("good.json");
	f = fopen(path, "r");
	len = f ? fread(text, 1, sizeof(text), f) : 0;
	if (!len || fclose(f))
		tap_bail("good.json");
	for (round = 0; round < 500; round++) {
		memcpy(damaged, text, len);
		for (k = 0; k <= round % 3; k++) {
			x = x * 1103515245 + 12345;
			damaged[(x >> 8) % len] ^= (char)(1 << (x >> 28 & 7));
		}
		write_file(path_of("damaged.json"), damaged, round % 10 ? len : (x >> 8) % len);
		if (dump_load(&d, path_of("damaged.json")))
			continue;
		loaded++;
		vmcs_show(&out, &d);
		vmcs_diff(&out, &good, &d);
	}
	tap_ok(loaded && loaded < 500, "%u of 500 damaged dumps can be read", loaded);
	fclose(out.f);
	reported();
}

/* ---- the command line ------------------------------------------------------------------------ */

static int run(const char *one, const char *two, const char *three, const char *four)
{
	char words[5][80] = { "vmcs" };
	const char *given[] = { one, two, three, four };
	char *argv[6];
	int argc = 1, status, keep;

	argv[0] = words[0];
	for (; argc < 5 && given[argc - 1]; argc++) {
		snprintf(words[argc], sizeof(words[0]), "%s", given[argc - 1]);
		argv[argc] = words[argc];
	}
	argv[argc] = NULL;
	/* What it prints is not for TAP. */
	fflush(stdout);
	keep = dup(STDOUT_FILENO);
	close(STDOUT_FILENO);
	if (open(path_of("out"), O_WRONLY | O_CREAT | O_TRUNC, 0600) != STDOUT_FILENO)
		_exit(TAP_FAIL);
	status = cmd_vmcs(argc, argv);
	fflush(stdout);
	dup2(keep, STDOUT_FILENO);
	close(keep);
	return status;
}

static void test_command(void)
{
	char good[64], folder[64];

	snprintf(good, sizeof(good), "%s/good.json", dir);
	snprintf(folder, sizeof(folder), "%s/", dir);
	tap_eq(run(good, NULL, NULL, NULL), 0, "show of a file");
	tap_eq(run("show", good, "--json", NULL), 0, "the verb may come first");
	tap_eq(run(good, "diff", good, NULL), 0, "diff of two files");
	tap_eq(run("--help", NULL, NULL, NULL), 0, "help");
	reported();
	tap_eq(run(NULL, NULL, NULL, NULL), EXIT_ERROR, "no machine");
	told("which machine", "is asked for");
	tap_eq(run(good, "watch", NULL, NULL), EXIT_ERROR, "watch of a file");
	told("a file does not change", "makes no sense");
	tap_eq(run(good, "bitmaps", NULL, NULL), EXIT_ERROR, "bitmaps of a file");
	told("bitmaps are in no file", "make no sense either");
	tap_eq(run(good, "diff", NULL, NULL), EXIT_ERROR, "diff of a file");
	told("needs a second one", "needs another");
	tap_eq(run(good, "frob", NULL, NULL), EXIT_ERROR, "an unknown verb");
	told("'frob' is not known", "is named");
	tap_eq(run(good, "show", "more", NULL), EXIT_ERROR, "a word too many");
	told("'more' is too much", "is named");
	tap_eq(run("nobody", NULL, NULL, NULL), EXIT_ERROR, "a machine that does not run");
	told("no virtual machine 'nobody'", "is named");
	tap_eq(run("-x", NULL, NULL, NULL), EXIT_ERROR, "an unknown option");
	reported();
	tap_eq(run("--vcpu", "-1", good, NULL), EXIT_ERROR, "a negative vCPU");
	told("--vcpu: '-1' is no number from 0", "is refused");
	tap_eq(run("--wait", "10001", good, NULL), EXIT_ERROR, "a long wait");
	told("--wait: '10001' is no number from 0 to 10000", "is refused");
	tap_eq(run("--interval", "nan", good, NULL), EXIT_ERROR, "an interval that is no number");
	told("--interval: 'nan'", "is refused");
	tap_eq(run("--pid", "0", NULL, NULL), EXIT_ERROR, "process 0");
	told("--pid: '0' is no process number", "is refused");
	tap_eq(run("--pid", "2147483647", NULL, NULL), EXIT_ERROR, "no process");
	told("there is no process", "is reported");
	snprintf(folder, sizeof(folder), "%d", (int)getpid());
	tap_eq(run("--pid", folder, NULL, NULL), EXIT_ERROR, "a process that has no VM");
	told("has no VM of minikvm", "is reported");
}

static void clean(void)
{
	char command[96];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	if (system(command))
		tap_diag("%s is left", dir);
}

int main(void)
{
	if (!mkdtemp(dir))
		tap_bail("mkdtemp");
	atexit(clean);
	setenv("MKVM_RUNTIME_DIR", dir, 1);
	snprintf(errors, sizeof(errors), "%s/errors", dir);
	tap_plan(0);
	fflush(stdout);
	if (!freopen(errors, "w+", stderr))
		tap_bail("freopen");
	test_words();
	test_rights();
	test_exits();
	test_instructions();
	test_any_value();
	test_controls();
	test_bitmaps();
	test_chips();
	test_dumps();
	test_bad_dumps();
	test_damaged_dumps();
	test_command();
	return tap_done();
}
