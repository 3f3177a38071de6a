/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The contents of a VMCS at one exit, with the capability MSRs it was made by: in memory and as
 * a file.
 *
 * The file is JSON: {"format": "minikvm-vmcs-1", "machine": "NAME", "vcpu": 0,
 * "exits": N, "tsc": N, "cpu": N, "pending": N, "phys_bits": N, "linear_bits": N,
 * "caps": {"0x480": "0x...", ...}, "fields": {"0x4000": "0x...", ...}}. Only "format" and "fields"
 * must be there; other keys are ignored.
 */
#ifndef MKVM_INSPECT_DUMP_H
#define MKVM_INSPECT_DUMP_H

#include <jansson.h>

#include "minikvm_vmcs.h"
#include "types.h"

#define DUMP_FORMAT	"minikvm-vmcs-1"
#define DUMP_MAX_FIELDS	512
#define DUMP_FIRST_CAP	0x480		/* IA32_VMX_BASIC */
#define DUMP_NR_CAPS	32		/* room for more than there are, 0x493 being the last */
#define DUMP_MAX_BYTES	(1U << 20)	/* of a file; ours have a hundredth of it */

/**
 * struct vmcs_value - a field
 * @encoding: full, as the manual has it
 * @value: in its low bits
 */
struct vmcs_value {
	u32 encoding;
	u64 value;
};

/**
 * struct vmcs_dump - a VMCS
 * @machine: its name
 * @vcpu: id of the vCPU
 * @cpu: host CPU it was read on
 * @pending: guest registers that are newer than their fields (MINIKVM_INSPECT_PENDING_*)
 * @exits: of the vCPU until then
 * @tsc: the host's, then
 * @phys_bits: width of the CPU's physical addresses; 0: not known
 * @linear_bits: width of its linear addresses; 0: not known
 * @caps: IA32_VMX_BASIC and what follows
 * @has_cap: bit n: @caps[n] is known
 * @fields: those the CPU has, in ascending order of their encodings
 * @nr_fields: entries of @fields
 */
struct vmcs_dump {
	char machine[80];
	unsigned int vcpu;
	unsigned int cpu;
	u32 pending;
	u64 exits;
	u64 tsc;
	u8 phys_bits;
	u8 linear_bits;
	u64 caps[DUMP_NR_CAPS];
	u32 has_cap;
	struct vmcs_value fields[DUMP_MAX_FIELDS];
	unsigned int nr_fields;
};

/** dump_find() - a field, or NULL: the CPU has none with this encoding */
const struct vmcs_value *dump_find(const struct vmcs_dump *d, u32 encoding);

/** dump_value() - value of a field; 0 if there is none */
u64 dump_value(const struct vmcs_dump *d, u32 encoding);

/**
 * dump_add() - put a field in its place
 *
 * Return: NULL, or what is wrong with it: it is no full encoding, is there already, or its value
 * is wider than the field.
 */
const char *dump_add(struct vmcs_dump *d, u32 encoding, u64 value);

/** dump_cap() - a capability MSR; false: it is not known */
bool dump_cap(const struct vmcs_dump *d, u32 msr, u64 *value);

/** dump_json() - as an object, a new reference; NULL: out of memory */
json_t *dump_json(const struct vmcs_dump *d);

/**
 * dump_save() - write a file; one that is there is replaced, when all of it is written
 *
 * Return: 0, or -1 after a report.
 */
int dump_save(const struct vmcs_dump *d, const char *path);

/**
 * dump_load() - read a file
 * @d: filled in
 * @path: the file
 *
 * Return: 0, or -1 after a report: what in it is wrong.
 */
int dump_load(struct vmcs_dump *d, const char *path);

/** vmcs_field_name() - the manual's name of a field, or NULL */
const char *vmcs_field_name(u32 encoding);

/** vmcs_field_digits() - hexadecimal digits of its width */
int vmcs_field_digits(u32 encoding);

#endif
