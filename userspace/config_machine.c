// SPDX-License-Identifier: GPL-2.0
/*
 * Options that say what the machine is: memory, CPUs, name, accelerator, machine type, clock.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "config_parse.h"
#include "report.h"
#include "sandbox.h"
#include "types.h"

/* ---- memory --------------------------------------------------------------------------------- */

static int set_size(struct config *cfg, const char *arg, const char *s)
{
	u64 n, unit = MIB;
	const char *end;

	if (!config_number(s, &n, &end))
		goto bad;
	if (*end) {
		switch (toupper((unsigned char)*end)) {
		case 'M':
			break;
		case 'G':
			unit = GIB;
			break;
		default:
			goto bad;
		}
		if (end[1])
			goto bad;
	}
	if (n > UINT64_MAX / unit)
		goto bad;
	if (n * unit < RAM_MIN)
		return report("-m %s: too little memory; at least %llu MiB are needed", arg,
			      RAM_MIN / MIB);
	if (n * unit > 1024 * 1024 * GIB / 16)
		return report("-m %s: too much memory; at most 64 TiB", arg);
	cfg->mem_size = n * unit;
	return 0;
bad:
	return report("-m %s: not a memory size; give MiB, or a number with M or G, e.g. 512 or 2G",
		      arg);
}

int config_parse_memory(struct config *cfg, const char *arg)
{
	const char *s = strncmp(arg, "size=", 5) ? arg : arg + 5;

	if (strchr(s, ','))
		return report("-m %s: memory cannot be added later; give the size alone, without "
			      "slots= and maxmem=", arg);
	return set_size(cfg, arg, s);
}

static int set_overcommit_key(void *opaque, const char *arg, const char *key, const char *value)
{
	struct config *cfg = opaque;

	if (strcmp(key, "mem-lock"))
		return report("-overcommit %s: key '%s' is not supported; there is mem-lock=on|off",
			      arg, key);
	return config_flag("-overcommit", arg, key, value, &cfg->mem_lock);
}

int config_parse_overcommit(struct config *cfg, const char *arg)
{
	return config_keys("-overcommit", arg, set_overcommit_key, cfg);
}

/* ---- CPUs ----------------------------------------------------------------------------------- */

struct smp {
	u64 cpus, sockets, cores, threads;
};

static int set_smp_key(void *opaque, const char *arg, const char *key, const char *value)
{
	struct smp *smp = opaque;
	u64 *field, n;
	const char *end;

	if (!strcmp(key, "cpus"))
		field = &smp->cpus;
	else if (!strcmp(key, "sockets"))
		field = &smp->sockets;
	else if (!strcmp(key, "cores"))
		field = &smp->cores;
	else if (!strcmp(key, "threads"))
		field = &smp->threads;
	else if (!strcmp(key, "maxcpus"))
		return report("-smp %s: CPUs cannot be added later; leave maxcpus= out", arg);
	else
		return report("-smp %s: key '%s' is not supported; there are cpus, sockets, cores "
			      "and threads", arg, key);
	if (!config_number(value, &n, &end) || *end || n < 1 || n > MAX_VCPUS)
		return report("-smp %s: give a number of %s from 1 to %d", arg, key, MAX_VCPUS);
	*field = n;
	return 0;
}

/* What is not given follows from the rest; as QEMU does, cores before sockets and threads. */
static int complete_smp(struct config *cfg, const char *arg, struct smp smp)
{
	u64 sockets = smp.sockets ? smp.sockets : 1, threads = smp.threads ? smp.threads : 1;
	u64 cores = smp.cores;

	if (!cores && smp.cpus)
		cores = smp.cpus / (sockets * threads);
	if (!cores)
		cores = 1;
	if (smp.cpus && !smp.sockets)
		sockets = smp.cpus / (cores * threads);
	if (!smp.cpus)
		smp.cpus = sockets * cores * threads;
	if (smp.cpus < 1 || smp.cpus > MAX_VCPUS)
		return report("-smp %s: give a number of CPUs from 1 to %d", arg, MAX_VCPUS);
	if (sockets * cores * threads != smp.cpus)
		return report("-smp %s: %llu sockets of %llu cores of %llu threads are not %llu "
			      "CPUs", arg, sockets, cores, threads, smp.cpus);
	/* An APIC id is package, core and thread side by side, and ids have no gaps. */
	if ((threads & (threads - 1)) || (sockets > 1 && (cores & (cores - 1))))
		return report("-smp %s: threads, and cores if there are several sockets, must be "
			      "powers of two", arg);
	cfg->nr_vcpus = (unsigned int)smp.cpus;
	cfg->nr_cores = (unsigned int)cores;
	cfg->nr_threads = (unsigned int)threads;
	return 0;
}

int config_parse_smp(struct config *cfg, const char *arg)
{
	struct smp smp = { .cpus = 0 };
	const char *s = arg, *end;

	/* The number of CPUs may come first, without its key. */
	if (!strchr(arg, '=') || strcspn(arg, ",") < strcspn(arg, "=")) {
		if (!config_number(arg, &smp.cpus, &end) || (*end && *end != ',') ||
		    smp.cpus < 1 || smp.cpus > MAX_VCPUS)
			return report("-smp %s: give a number of CPUs from 1 to %d", arg,
				      MAX_VCPUS);
		s = *end ? end + 1 : end;
	}
	if (config_keys("-smp", s, set_smp_key, &smp))
		return -1;
	return complete_smp(cfg, arg, smp);
}

int config_parse_cpu(struct config *cfg, const char *arg)
{
	(void)cfg;
	if (!strcmp(arg, "host") || !strcmp(arg, "max"))
		return 0;
	return report("-cpu %s: not supported; guests have the host's CPU, as with -cpu host", arg);
}

/* ---- the rest ------------------------------------------------------------------------------- */

static int set_accel(struct config *cfg, const char *option, const char *arg, const char *name)
{
	if (strcmp(name, "minikvm") && strcmp(name, "kvm") && !strchr(name, '/'))
		return report("%s %s: unknown; use minikvm, kvm or the path of a device", option,
			      arg);
	return config_set_string(&cfg->accel, name);
}

int config_parse_accel(struct config *cfg, const char *arg)
{
	return set_accel(cfg, "-accel", arg, strncmp(arg, "accel=", 6) ? arg : arg + 6);
}

static int check_type(const char *arg, const char *type)
{
	static const char * const mine[] = { "mkvm", "pc", "q35" };
	size_t i;

	if (!strcmp(type, "none"))
		return report("-machine %s: there is no machine without devices; leave it out",
			      arg);
	for (i = 0; i < ARRAY_SIZE(mine); i++) {
		if (!strcmp(type, mine[i]))
			return 0;
	}
	return report("-machine %s: type '%s' is not supported; there is one machine, for which pc "
		      "and q35 are accepted", arg, type);
}

static int set_machine_key(void *opaque, const char *arg, const char *key, const char *value)
{
	struct config *cfg = opaque;
	bool on;

	if (!strcmp(key, "type"))
		return check_type(arg, value);
	if (!strcmp(key, "accel"))
		return set_accel(cfg, "-machine", arg, value);
	/* What this machine is anyway may be said. */
	if (!strcmp(key, "usb") || !strcmp(key, "vmport") || !strcmp(key, "hpet") ||
	    !strcmp(key, "smm") || !strcmp(key, "dump-guest-core")) {
		if (config_flag("-machine", arg, key, value, &on))
			return -1;
		return on ? report("-machine %s: %s=on is not supported", arg, key) : 0;
	}
	if (!strcmp(key, "acpi") || !strcmp(key, "pic") || !strcmp(key, "pit")) {
		if (config_flag("-machine", arg, key, value, &on))
			return -1;
		return on ? 0 : report("-machine %s: %s=off is not supported", arg, key);
	}
	return report("-machine %s: key '%s' is not supported; there are type and accel", arg, key);
}

int config_parse_machine(struct config *cfg, const char *arg)
{
	size_t len = strcspn(arg, ",=");
	char type[32];

	if (arg[len] == '=')
		return config_keys("-machine", arg, set_machine_key, cfg);
	snprintf(type, sizeof(type), "%.*s", (int)(len < sizeof(type) ? len : sizeof(type) - 1),
		 arg);
	if (check_type(arg, type))
		return -1;
	return config_keys("-machine", arg[len] ? arg + len + 1 : arg + len, set_machine_key, cfg);
}

static int set_rtc_key(void *opaque, const char *arg, const char *key, const char *value)
{
	struct config *cfg = opaque;

	if (!strcmp(key, "base")) {
		if (strcmp(value, "utc") && strcmp(value, "localtime"))
			return report("-rtc %s: base '%s' is not supported; use utc or localtime",
				      arg, value);
		cfg->rtc_localtime = !strcmp(value, "localtime");
		return 0;
	}
	if (!strcmp(key, "clock") || !strcmp(key, "driftfix")) {
		const char *only = *key == 'c' ? "host" : "none";

		return strcmp(value, only) ? report("-rtc %s: %s=%s is not supported; use %s", arg,
						    key, value, only) :
					     0;
	}
	return report("-rtc %s: key '%s' is not supported; there is base=utc|localtime", arg, key);
}

int config_parse_rtc(struct config *cfg, const char *arg)
{
	return config_keys("-rtc", arg, set_rtc_key, cfg);
}

int config_parse_display(struct config *cfg, const char *arg)
{
	(void)cfg;
	if (!strcmp(arg, "none"))
		return 0;
	return report("-display %s: there is no display yet; use none", arg);
}

int config_parse_vga(struct config *cfg, const char *arg)
{
	(void)cfg;
	if (!strcmp(arg, "none"))
		return 0;
	return report("-vga %s: there is no display yet; use none", arg);
}

/* ---- what the process gives up -------------------------------------------------------------- */

int config_parse_user(struct config *cfg, const char *arg)
{
	if (sandbox_user(arg, &cfg->uid, &cfg->gid))
		return report("-user %s: no such user in /etc/passwd; give a name or UID:GID", arg);
	return config_set_string(&cfg->user, arg);
}

int config_parse_dry_run(struct config *cfg, const char *arg)
{
	if (arg && strcmp(arg, "json"))
		return report("-dry-run=%s: give json, or nothing for text", arg);
	cfg->dry_run = true;
	cfg->dry_run_json = arg != NULL;
	return 0;
}

/* QEMU takes "on" with a list of what to deny; here all of that is denied anyway. */
static int set_sandbox_key(void *opaque, const char *arg, const char *key, const char *value)
{
	static const char * const known[] = {
		"obsolete", "elevateprivileges", "spawn", "resourcecontrol",
	};
	size_t i;

	(void)opaque;
	for (i = 0; i < ARRAY_SIZE(known); i++) {
		if (!strcmp(key, known[i]) && !strcmp(value, "deny"))
			return 0;
	}
	return report("-sandbox %s: %s=%s is not supported; use on or off", arg, key, value);
}

int config_parse_sandbox(struct config *cfg, const char *arg)
{
	bool on = !strcmp(arg, "on") || !strncmp(arg, "on,", 3);

	if (!on && strcmp(arg, "off"))
		return report("-sandbox %s: use on or off", arg);
	cfg->sandbox_off = !on;
	return on && arg[2] ? config_keys("-sandbox", arg + 3, set_sandbox_key, cfg) : 0;
}
