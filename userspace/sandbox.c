// SPDX-License-Identifier: GPL-2.0
/*
 * Dropping privilege: no capability in any set, and none to be had by exec.
 */
#include <errno.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include "report.h"
#include "sandbox.h"

/*
 * Clear the bounding set, as far as the kernel knows capabilities; only possible with CAP_SETPCAP.
 */
static void drop_bounding_set(void)
{
	cap_value_t cap;

	for (cap = 0; cap_get_bound(cap) >= 0; cap++)
		(void)cap_drop_bound(cap);
}

int sandbox_enter(void)
{
	cap_t empty;
	int ret = 0;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return report("cannot set no_new_privs: %s", strerror(errno));
	drop_bounding_set();
	empty = cap_init();
	/* Permitted, effective and inheritable at once; the kernel then clears the ambient set. */
	if (!empty || cap_set_proc(empty))
		ret = report("cannot drop capabilities: %s", strerror(errno));
	cap_free(empty);
	return ret;
}
