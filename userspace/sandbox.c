// SPDX-License-Identifier: GPL-2.0
/*
 * Dropping privilege: another root directory and user if asked for, no capability in any set and
 * none to be had by exec; and which threads get a system call filter.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "config_parse.h"
#include "report.h"
#include "sandbox.h"
#include "seccomp_filter.h"
#include "term.h"

static bool filters_on;

/*
 * Clear the bounding set, as far as the kernel knows capabilities; only possible with CAP_SETPCAP.
 */
static void drop_bounding_set(void)
{
	cap_value_t cap;

	for (cap = 0; cap_get_bound(cap) >= 0; cap++)
		(void)cap_drop_bound(cap);
}

/* "UID:GID" */
static bool numeric_user(const char *name, u32 *uid, u32 *gid)
{
	const char *end;
	u64 u, g;

	if (!config_number(name, &u, &end) || *end != ':' || !config_number(end + 1, &g, &end) ||
	    *end || u >= UINT32_MAX || g >= UINT32_MAX)
		return false;
	*uid = (u32)u;
	*gid = (u32)g;
	return true;
}

int sandbox_user(const char *name, u32 *uid, u32 *gid)
{
	/* Not getpwnam(), which loads plug-ins, and cannot be linked statically. */
	FILE *file;
	struct passwd *pw = NULL;

	if (numeric_user(name, uid, gid))
		return 0;
	file = fopen("/etc/passwd", "re");
	while (file && (pw = fgetpwent(file)) && strcmp(pw->pw_name, name))
		;
	if (pw) {
		*uid = pw->pw_uid;
		*gid = pw->pw_gid;
	}
	if (file)
		fclose(file);
	return pw ? 0 : -1;
}

static int change_root(const char *dir)
{
	if (chroot(dir) || chdir("/"))
		return report("-chroot %s: %s", dir, strerror(errno));
	return 0;
}

static int change_user(const struct config *cfg)
{
	gid_t gid = cfg->gid;

	if (setgroups(1, &gid) || setresgid(gid, gid, gid) ||
	    setresuid(cfg->uid, cfg->uid, cfg->uid))
		return report("-user %s: cannot become that user: %s", cfg->user, strerror(errno));
	return 0;
}

static int drop_capabilities(void)
{
	cap_t empty = cap_init();
	int ret = 0;

	/* Permitted, effective and inheritable at once; the kernel then clears the ambient set. */
	if (!empty || cap_set_proc(empty))
		ret = report("cannot drop capabilities: %s", strerror(errno));
	cap_free(empty);
	return ret;
}

int sandbox_enter(const struct config *cfg)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return report("cannot set no_new_privs: %s", strerror(errno));
	/* Not what is mapped later: without privilege there is a limit, and it must not fail then. */
	if (cfg->mem_lock && mlockall(MCL_CURRENT))
		return report("-overcommit mem-lock=on: cannot lock the memory: %s; see ulimit -l",
			      strerror(errno));
	/* The bounding set first: leaving root takes the right to clear it along. */
	drop_bounding_set();
	if ((cfg->chroot && change_root(cfg->chroot)) || (cfg->user && change_user(cfg)) ||
	    drop_capabilities())
		return -1;
#if defined(__SANITIZE_ADDRESS__)
	/* The sanitizers' own threads and files are not in the tables. */
	return 0;
#endif
	if (cfg->sandbox_off)
		return 0;
	if (seccomp_filter_init())
		return -1;
	filters_on = true;
	return 0;
}

void sandbox_thread(enum sandbox_kind kind)
{
	int err = filters_on ? seccomp_filter_load(kind) : 0;

	if (!err)
		return;
	term_restore();
	report("cannot install a system call filter: %s; '--sandbox off' runs without",
	       strerror(-err));
	_exit(EXIT_ERROR);
}
