// SPDX-License-Identifier: GPL-2.0
/*
 * The known departures of emulators from the manual's checks on VM entry. A rule that stands here
 * and is kept after all fails the test, so the list stays true; Documentation/lab.rst explains it.
 */
#include <linux/bits.h>
#include <linux/string.h>

#include "rules.h"

/* Bochs 2.7 */
static const struct departure bochs[] = {
	{ "entry-to-smm", DEPARTS_REASON, 33,
	  "looks at the guest's state first, which blocks no SMIs" },
	{ "guest-debugctl", DEPARTS_ENTERS, 0, "does not look at IA32_DEBUGCTL" },
	{ "guest-ia32e-paging", DEPARTS_ENTERS, 0, "asks IA-32e mode only for CR4.PAE" },
	{ "guest-rip-width", DEPARTS_ENTERS, 0, "looks at RIP when it fetches: #GP" },
	{ "guest-rflags-vm", DEPARTS_ENTERS, 0, "asks virtual-8086 mode not for CR0.PE" },
	{ "activity-injection", DEPARTS_ENTERS, 0, "any event ends any activity state" },
	{ "blocking-virtual-nmi", DEPARTS_ENTERS, 0, "injects an NMI whatever blocks it" },
	{ "pending-debug-step", DEPARTS_ENTERS, 0, "does not compare BS with RFLAGS.TF" },
	{ "pending-debug-no-step", DEPARTS_ENTERS, 0, "does not compare BS with RFLAGS.TF" },
	{ "msr-load-smm", DEPARTS_ENTERS, 0, "lets IA32_SMM_MONITOR_CTL be loaded" },
	{ }
};

const struct departure *find_departure(const char *emulator, const char *rule)
{
	const struct departure *d;

	if (strcmp(emulator, "bochs"))
		return NULL;
	for (d = bochs; d->rule; d++) {
		if (!strcmp(d->rule, rule))
			return d;
	}
	return NULL;
}

bool departure_seen(const struct departure *d, bool failed, u32 code)
{
	switch (d->how) {
	case DEPARTS_ENTERS:
		return !failed && !(code >> 31);
	case DEPARTS_ERROR:
		return failed && code == d->number;
	case DEPARTS_REASON:
		return !failed && code == (BIT(31) | d->number);
	default:
		return false;
	}
}
