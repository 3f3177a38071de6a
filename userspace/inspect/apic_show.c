// SPDX-License-Identifier: GPL-2.0
/*
 * Tells the registers of local APICs and of the I/O APIC.
 *
 * Source: Intel SDM vol. 3A (December 2023), "Local APIC Register Address Map", "Local Vector
 * Table", "Interrupt Command Register (ICR)"; Intel 82093AA datasheet, "I/O Redirection Table".
 */
#include <string.h>

#include "inspect/apic.h"

#define APIC_ISR	0x100
#define APIC_TMR	0x180
#define APIC_IRR	0x200

static const char *const modes[] = {
	"fixed", "lowest-priority", "SMI", "remote-read", "NMI", "INIT", "startup", "ExtINT",
};
static const char *const destinations[] = { "addressed", "self", "all", "all-but-self" };
static const char *const timer_modes[] = { "one-shot", "periodic", "TSC-deadline" };

static const struct word_part svr_parts[] = {
	WORD_FIELD(0, 7, "vector"), WORD_BIT(8, "enabled"), WORD_BIT(9, "no-focus-check"),
	WORD_BIT(12, "no-EOI-broadcast"),
};
static const struct word word_svr = WORD(svr_parts);

#define LVT_PARTS	WORD_FIELD(0, 7, "vector"), WORD_ENUM(8, 10, "mode", modes), \
			WORD_BIT(12, "pending")

static const struct word_part lvt_parts[] = {
	LVT_PARTS, WORD_BIT(13, "active-low"), WORD_BIT(14, "remote-IRR"), WORD_BIT(15, "level"),
	WORD_BIT(16, "masked"),
};
static const struct word word_lvt = WORD(lvt_parts);

static const struct word_part timer_parts[] = {
	WORD_FIELD(0, 7, "vector"), WORD_BIT(12, "pending"), WORD_BIT(16, "masked"),
	WORD_ENUM(17, 18, "mode", timer_modes),
};
static const struct word word_timer = WORD(timer_parts);

static const struct word_part icr_parts[] = {
	LVT_PARTS, WORD_BIT(11, "logical"), WORD_BIT(14, "assert"), WORD_BIT(15, "level"),
	WORD_ENUM(18, 19, "to", destinations),
};
static const struct word word_icr = WORD(icr_parts);

static const struct word_part version_parts[] = {
	WORD_FIELD(0, 7, "version"), WORD_FIELD(16, 23, "last-LVT"), WORD_BIT(24, "directed-EOI"),
};
static const struct word word_version = WORD(version_parts);

static const struct word_part priority_parts[] = {
	WORD_FIELD(0, 3, "subclass"), WORD_FIELD(4, 7, "class"),
};
static const struct word word_priority = WORD(priority_parts);

static const struct word_part error_parts[] = {
	WORD_BIT(0, "send-checksum"), WORD_BIT(1, "receive-checksum"), WORD_BIT(2, "send-accept"),
	WORD_BIT(3, "receive-accept"), WORD_BIT(4, "redirectable-IPI"),
	WORD_BIT(5, "send-illegal-vector"), WORD_BIT(6, "received-illegal-vector"),
	WORD_BIT(7, "illegal-register"),
};
static const struct word word_error = WORD(error_parts);

static const char *const dividers[] = { "2", "4", "8", "16", "32", "64", "128", "1" };

static const struct {
	u32 offset;
	const char *name;
	const struct word *word;
} registers[] = {
	{ 0x020, "ID", NULL }, { 0x030, "version", &word_version },
	{ 0x080, "task priority (TPR)", &word_priority },
	{ 0x0a0, "processor priority (PPR)", &word_priority },
	{ 0x0d0, "logical destination (LDR)", NULL },
	{ 0x0e0, "destination format (DFR)", NULL }, { 0x0f0, "spurious vector (SVR)", &word_svr },
	{ 0x280, "error status (ESR)", &word_error },
	{ 0x300, "interrupt command (ICR)", &word_icr }, { 0x310, "ICR destination", NULL },
	{ 0x2f0, "LVT CMCI", &word_lvt }, { 0x320, "LVT timer", &word_timer },
	{ 0x330, "LVT thermal sensor", &word_lvt },
	{ 0x340, "LVT performance counters", &word_lvt }, { 0x350, "LVT LINT0", &word_lvt },
	{ 0x360, "LVT LINT1", &word_lvt }, { 0x370, "LVT error", &word_lvt },
	{ 0x380, "timer: initial count", NULL }, { 0x390, "timer: current count", NULL },
	{ 0x3e0, "timer: divide configuration", NULL },
};

u32 lapic_register(const struct minikvm_inspect_lapic *l, u32 offset)
{
	u32 value = 0;

	if (offset + sizeof(value) <= sizeof(l->regs.regs))
		memcpy(&value, l->regs.regs + offset, sizeof(value));
	return value;
}

static void register_text(struct text *t, u32 offset, u32 value, const struct word *word)
{
	if (word)
		word_text(t, word, value);
	else if (offset == 0x3e0)
		text_add(t, "divides by %s", dividers[(value & 3) | (value >> 1 & 4)]);
	else if (offset == 0x0e0)
		text_add(t, "%s", value == 0xffffffff ? "flat" : "cluster");
}

/* Is the bit of a vector set? @offset is the first of eight registers with 32 bits each. */
static bool has_vector(const struct minikvm_inspect_lapic *l, u32 offset, unsigned int vector)
{
	return lapic_register(l, offset + vector / 32 * 0x10) >> (vector & 31) & 1;
}

static void vectors_text(struct text *t, const struct minikvm_inspect_lapic *l, u32 offset)
{
	unsigned int vector;

	for (vector = 0; vector < 256; vector++) {
		if (has_vector(l, offset, vector))
			text_add(t, "%s0x%02x", t->len ? " " : "", vector);
	}
	if (!t->len)
		text_add(t, "none");
}

static void base_text(struct text *t, u64 base)
{
	text_add(t, "at 0x%llx", (unsigned long long)(base & 0xffffffffff000ULL));
	if (base & BIT(8))
		text_item(t, "of the bootstrap processor");
	text_item(t, "%s", !(base & BIT(11)) ? "disabled" : base & BIT(10) ? "x2APIC mode" :
		  "xAPIC mode");
}

static const char *state_name(u32 state)
{
	static const char *const names[] = {
		"runnable", "uninitialized", "waits for a SIPI", "halted", "received a SIPI",
	};

	return state < ARRAY_SIZE(names) ? names[state] : "in an unknown state";
}

void lapic_show(FILE *f, unsigned int vcpu, const struct minikvm_inspect_lapic *l)
{
	static const struct {
		u32 offset;
		const char *name;
	} sets[] = {
		{ APIC_IRR, "requested (IRR)" }, { APIC_ISR, "in service (ISR)" },
		{ APIC_TMR, "level-triggered (TMR)" },
	};
	struct text base = { .len = 0 };
	unsigned int i;

	fprintf(f, "Local APIC of vCPU %u, which is %s\n", vcpu, state_name(l->mp_state));
	if (!l->has_apic) {
		fprintf(f, "  in the VMM: the kernel has no interrupt chips of this VM\n");
		return;
	}
	base_text(&base, l->apic_base);
	fprintf(f, "  %-4s %-28s 0x%08llx  %s\n", "", "IA32_APIC_BASE",
		(unsigned long long)l->apic_base, base.buf);
	for (i = 0; i < ARRAY_SIZE(registers); i++) {
		u32 value = lapic_register(l, registers[i].offset);
		struct text t = { .len = 0 };

		register_text(&t, registers[i].offset, value, registers[i].word);
		fprintf(f, "  %03x  %-28s 0x%08x%s%s\n", registers[i].offset, registers[i].name,
			value, t.len ? "  " : "", t.buf);
	}
	for (i = 0; i < ARRAY_SIZE(sets); i++) {
		struct text t = { .len = 0 };

		vectors_text(&t, l, sets[i].offset);
		fprintf(f, "  %03x  %-28s %s\n", sets[i].offset, sets[i].name, t.buf);
	}
}

json_t *lapic_json(unsigned int vcpu, const struct minikvm_inspect_lapic *l)
{
	json_t *list = json_array(), *vectors, *json;
	static const struct {
		const char *key;
		u32 offset;
	} sets[] = { { "irr", APIC_IRR }, { "isr", APIC_ISR }, { "tmr", APIC_TMR } };
	unsigned int i, vector;

	for (i = 0; i < ARRAY_SIZE(registers); i++) {
		u32 value = lapic_register(l, registers[i].offset);
		struct text t = { .len = 0 };

		register_text(&t, registers[i].offset, value, registers[i].word);
		json_array_append_new(list, json_pack("{s:i,s:s,s:I,s:s}", "offset",
						      (int)registers[i].offset, "name",
						      registers[i].name, "value", (json_int_t)value,
						      "text", t.buf));
	}
	json = json_pack("{s:i,s:s,s:b,s:I,s:o}", "vcpu", (int)vcpu, "state",
			 state_name(l->mp_state), "in-kernel", !!l->has_apic, "apic-base",
			 (json_int_t)l->apic_base, "registers", list);
	for (i = 0; i < ARRAY_SIZE(sets); i++) {
		vectors = json_array();
		for (vector = 0; vector < 256; vector++) {
			if (has_vector(l, sets[i].offset, vector))
				json_array_append_new(vectors, json_integer(vector));
		}
		json_object_set_new(json, sets[i].key, vectors);
	}
	return json;
}

/* ---- I/O APIC -------------------------------------------------------------------------------- */

static void entry_text(struct text *t, u64 bits)
{
	static const struct word_part parts[] = {
		LVT_PARTS, WORD_BIT(11, "logical"), WORD_BIT(13, "active-low"),
		WORD_BIT(14, "remote-IRR"), WORD_BIT(15, "level"), WORD_BIT(16, "masked"),
		WORD_FIELD(56, 63, "destination"),
	};
	static const struct word word = WORD(parts);

	word_text(t, &word, bits);
}

void ioapic_show(FILE *f, const struct minikvm_ioapic_state *s)
{
	unsigned int pin;

	fprintf(f, "I/O APIC at 0x%llx, ID %u\n", (unsigned long long)s->base_address, s->id);
	for (pin = 0; pin < MINIKVM_IOAPIC_NUM_PINS; pin++) {
		struct text t = { .len = 0 };

		entry_text(&t, s->redirtbl[pin].bits);
		fprintf(f, "  pin %-2u  0x%016llx  %s%s\n", pin,
			(unsigned long long)s->redirtbl[pin].bits, t.buf,
			s->irr >> pin & 1 ? "  (requested)" : "");
	}
}

json_t *ioapic_json(const struct minikvm_ioapic_state *s)
{
	json_t *pins = json_array();
	unsigned int pin;
	char bits[24];

	for (pin = 0; pin < MINIKVM_IOAPIC_NUM_PINS; pin++) {
		struct text t = { .len = 0 };

		entry_text(&t, s->redirtbl[pin].bits);
		snprintf(bits, sizeof(bits), "0x%llx", (unsigned long long)s->redirtbl[pin].bits);
		json_array_append_new(pins, json_pack("{s:i,s:s,s:i,s:b,s:b,s:s}", "pin", (int)pin,
						      "entry", bits, "vector",
						      (int)(s->redirtbl[pin].bits & 0xff), "masked",
						      (int)(s->redirtbl[pin].bits >> 16 & 1),
						      "requested", (int)(s->irr >> pin & 1), "text",
						      t.buf));
	}
	return json_pack("{s:I,s:i,s:o}", "base", (json_int_t)s->base_address, "id", (int)s->id,
			 "pins", pins);
}
