/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where emulators depart from the manual's checks on VM entry.
 */
#ifndef SELFTESTS_VMX_RULES_H
#define SELFTESTS_VMX_RULES_H

#include <linux/types.h>

/** enum departs - what happens to a VMCS that breaks the rule */
enum departs {
	DEPARTS_ENTERS,		/* the guest runs */
	DEPARTS_ERROR,		/* VMfail with another VM-instruction error */
	DEPARTS_REASON,		/* entry failure for another reason */
};

/**
 * struct departure - an emulator takes a rule another way than the manual
 * @rule: its name
 * @how: what happens
 * @number: with @how, the error or the reason
 * @why: in words
 */
struct departure {
	const char *rule;
	enum departs how;
	u32 number;
	const char *why;
};

/** find_departure() - of @emulator, about @rule; NULL: it follows the manual */
const struct departure *find_departure(const char *emulator, const char *rule);

/** departure_seen() - is this how the entry ended? @code: VM-instruction error or exit reason */
bool departure_seen(const struct departure *d, bool failed, u32 code);

#endif
