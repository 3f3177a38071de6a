// SPDX-License-Identifier: GPL-2.0
/*
 * The names of the bits of VMCS fields that are no control words (those: controls.c).
 *
 * Source: Intel SDM vol. 3C (December 2023), "Guest Non-Register State", "VM-Entry Controls for
 * Event Injection", "Information for VM Exits Due to Vectored Events", "Extended-Page-Table
 * Pointer (EPTP)".
 */
#include "inspect/word.h"

static const struct word_part interruptibility_parts[] = {
	WORD_BIT(0, "blocking-by-STI"), WORD_BIT(1, "blocking-by-MOV-SS"),
	WORD_BIT(2, "blocking-by-SMI"), WORD_BIT(3, "blocking-by-NMI"),
	WORD_BIT(4, "enclave-interruption"),
};
const struct word word_interruptibility = WORD(interruptibility_parts);

static const char *const activities[] = { "active", "HLT", "shutdown", "wait-for-SIPI" };
static const struct word_part activity_parts[] = { WORD_ENUM(0, 31, "", activities) };
const struct word word_activity = WORD(activity_parts);

static const struct word_part pending_debug_parts[] = {
	WORD_BIT(0, "B0"), WORD_BIT(1, "B1"), WORD_BIT(2, "B2"), WORD_BIT(3, "B3"),
	WORD_BIT(11, "BLD"), WORD_BIT(12, "enabled-breakpoint"), WORD_BIT(14, "BS"),
	WORD_BIT(16, "RTM"),
};
const struct word word_pending_debug = WORD(pending_debug_parts);

/* Types of an event to inject; where one was met on the way out, type 7 does not occur. */
static const char *const event_types[] = {
	"external interrupt", NULL, "NMI", "hardware exception", "software interrupt",
	"privileged software exception", "software exception", "other event",
};

#define EVENT_PARTS							\
	WORD_FIELD(0, 7, "vector"), WORD_ENUM(8, 10, "type", event_types), \
	WORD_BIT(11, "error-code")

static const struct word_part event_parts[] = { EVENT_PARTS, WORD_BIT(31, "valid") };
const struct word word_event_info = WORD(event_parts);

static const struct word_part exit_event_parts[] = {
	EVENT_PARTS, WORD_BIT(12, "NMI-unblocking-due-to-IRET"), WORD_BIT(31, "valid"),
};
const struct word word_exit_event = WORD(exit_event_parts);

/* Bit 12 is undefined here. */
static const struct word_part idt_event_parts[] = {
	EVENT_PARTS, WORD_BIT(12, "undefined(12)"), WORD_BIT(31, "valid"),
};
const struct word word_idt_event = WORD(idt_event_parts);

static const char *const eptp_types[] = { "UC", NULL, NULL, NULL, NULL, NULL, "WB" };
static const char *const eptp_walks[] = { NULL, NULL, NULL, "4 levels", "5 levels" };
static const struct word_part eptp_parts[] = {
	WORD_ENUM(0, 2, "type", eptp_types), WORD_ENUM(3, 5, "walk", eptp_walks),
	WORD_BIT(6, "accessed/dirty-flags"), WORD_BIT(7, "supervisor-shadow-stack"),
	WORD_FIELD(12, 51, "root-frame"),
};
const struct word word_eptp = WORD(eptp_parts);

static const struct word_part interrupt_status_parts[] = {
	WORD_FIELD(0, 7, "RVI"), WORD_FIELD(8, 15, "SVI"),
};
const struct word word_interrupt_status = WORD(interrupt_status_parts);
