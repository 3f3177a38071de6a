// SPDX-License-Identifier: GPL-2.0
/*
 * The commands of the control socket. Names and shapes are QMP's where a command means the same;
 * query-info, query-device-stats and console are ours.
 *
 * Source: QEMU documentation, "QEMU QMP Reference Manual".
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "control/control.h"
#include "control/stats.h"
#include "dev/pm.h"
#include "machine.h"
#include "types.h"
#include "vcpu.h"

static json_t *version_value(void)
{
	return json_pack("{s:{s:i,s:i,s:i},s:s}", "qemu", "major", 0, "minor", 1, "micro", 0,
			 "package", "mkvm " MKVM_VERSION);
}

json_t *control_greeting(struct machine *m)
{
	return json_pack("{s:{s:o,s:[]},s:{s:i,s:s,s:i}}", "QMP", "version", version_value(),
			 "capabilities", "mkvm", "protocol", QMP_PROTOCOL, "name", m->cfg->name,
			 "pid", (int)getpid());
}

/* ---- about the conversation ------------------------------------------------------------------ */

static json_t *qmp_capabilities(struct qmp_session *s, json_t *args, char *error)
{
	(void)args;
	(void)error;
	s->events = true;
	return json_object();
}

static json_t *query_commands(struct qmp_session *s, json_t *args, char *error)
{
	(void)args;
	(void)error;
	return qmp_describe(s->commands);
}

static json_t *query_version(struct qmp_session *s, json_t *args, char *error)
{
	(void)s;
	(void)args;
	(void)error;
	return version_value();
}

static json_t *console(struct qmp_session *s, json_t *args, char *error)
{
	json_t *replay = json_object_get(args, "replay");
	const char *why = control_attach(s, !replay || json_is_true(replay));

	if (!why)
		return json_object();
	snprintf(error, QMP_ERROR_MAX, "%s", why);
	return NULL;
}

/* ---- running and not running ----------------------------------------------------------------- */

static json_t *stop(struct qmp_session *s, json_t *args, char *error)
{
	struct machine *m = control_machine(s);

	(void)args;
	(void)error;
	machine_pause(m, PAUSE_USER);
	machine_pause_settle(m);
	return json_object();
}

static json_t *cont(struct qmp_session *s, json_t *args, char *error)
{
	(void)args;
	(void)error;
	machine_resume(control_machine(s));
	return json_object();
}

static json_t *system_powerdown(struct qmp_session *s, json_t *args, char *error)
{
	struct machine *m = control_machine(s);

	(void)args;
	(void)error;
	pm_power_button(m);
	control_event(m, "POWERDOWN", NULL);
	return json_object();
}

static json_t *system_reset(struct qmp_session *s, json_t *args, char *error)
{
	struct machine *m = control_machine(s);

	(void)args;
	(void)error;
	m->host_asked = true;
	machine_post(m, MACHINE_RESET);
	return json_object();
}

static json_t *quit(struct qmp_session *s, json_t *args, char *error)
{
	struct machine *m = control_machine(s);

	(void)args;
	(void)error;
	m->host_asked = true;
	machine_post(m, MACHINE_QUIT);
	return json_object();
}

/* ---- questions ------------------------------------------------------------------------------- */

static json_t *query_status(struct qmp_session *s, json_t *args, char *error)
{
	enum machine_pause reason = machine_paused(control_machine(s));

	(void)args;
	(void)error;
	return json_pack("{s:s,s:b,s:b}", "status", machine_pause_name(reason), "running",
			 reason == PAUSE_NONE, "singlestep", 0);
}

static json_t *query_name(struct qmp_session *s, json_t *args, char *error)
{
	(void)args;
	(void)error;
	return json_pack("{s:s}", "name", control_machine(s)->cfg->name);
}

static json_t *query_kvm(struct qmp_session *s, json_t *args, char *error)
{
	(void)s;
	(void)args;
	(void)error;
	return json_pack("{s:b,s:b}", "enabled", 1, "present", 1);
}

static json_t *query_cpus_fast(struct qmp_session *s, json_t *args, char *error)
{
	struct machine *m = control_machine(s);
	json_t *list = json_array();
	unsigned int i;

	(void)args;
	(void)error;
	for (i = 0; i < m->cfg->nr_vcpus; i++)
		json_array_append_new(list, json_pack("{s:i,s:i,s:s}", "cpu-index", (int)i,
						      "thread-id", atomic_load(&m->vcpu[i].tid),
						      "target", "x86_64"));
	return list;
}

static json_t *query_memory(struct qmp_session *s, json_t *args, char *error)
{
	(void)args;
	(void)error;
	return json_pack("{s:I}", "base-memory", (json_int_t)control_machine(s)->cfg->mem_size);
}

static json_t *query_info(struct qmp_session *s, json_t *args, char *error)
{
	struct machine *m = control_machine(s);
	json_t *info;

	(void)args;
	(void)error;
	info = json_pack("{s:s,s:i,s:s,s:i,s:I,s:b,s:I}", "name", m->cfg->name, "pid",
			 (int)getpid(), "status", machine_pause_name(machine_paused(m)), "vcpus",
			 (int)m->cfg->nr_vcpus, "memory", (json_int_t)m->cfg->mem_size, "console",
			 m->console != NULL, "resets", (json_int_t)m->vm.generation - 1);
	json_object_set_new(info, "accelerator", qmp_string(m->accel.path));
	json_object_set_new(info, "kernel", m->cfg->kernel ? qmp_string(m->cfg->kernel) :
							     json_null());
	return info;
}

/* One of QMP's StatsResult; the reason why there is none goes to @error. */
static json_t *stats_result(struct machine *m, int fd, int vcpu, char *error)
{
	json_t *stats = stats_read(fd), *result;

	if (!stats) {
		snprintf(error, QMP_ERROR_MAX, "%s offers no statistics: %s", m->accel.path,
			 strerror(errno));
		return NULL;
	}
	result = json_pack("{s:s,s:o}", "provider", "kvm", "stats", stats);
	if (vcpu >= 0)
		json_object_set_new(result, "vcpu", json_integer(vcpu));
	return result;
}

static json_t *query_stats(struct qmp_session *s, json_t *args, char *error)
{
	struct machine *m = control_machine(s);
	const char *target = json_string_value(json_object_get(args, "target"));
	bool vm = !strcmp(target, "vm");
	unsigned int i, nr = vm ? 1 : m->cfg->nr_vcpus;
	json_t *list, *result;
	int vm_fd = -1;

	if (!vm && strcmp(target, "vcpu")) {
		snprintf(error, QMP_ERROR_MAX, "target '%.32s': use vm or vcpu", target);
		return NULL;
	}
	/* Closed again at once: it keeps the VM alive. */
	if (vm)
		vm_fd = ioctl(m->vm.fd, MINIKVM_GET_STATS_FD, 0);
	list = json_array();
	for (i = 0; i < nr && list; i++) {
		result = stats_result(m, vm ? vm_fd : m->vcpu[i].stats_fd, vm ? -1 : (int)i, error);
		if (!result) {
			json_decref(list);
			list = NULL;
		} else {
			json_array_append_new(list, result);
		}
	}
	if (vm_fd >= 0)
		close(vm_fd);
	return list;
}

/* ---- devices --------------------------------------------------------------------------------- */

static json_t *counters(const struct device_stats *d)
{
	json_t *stats = json_object();
	unsigned int i;

	for (i = 0; i < d->nr_counters; i++)
		json_object_set_new(stats, d->counter[i].name,
				    json_integer((json_int_t)d->counter[i].value));
	return stats;
}

static json_t *text_or_null(const char *text)
{
	return text ? qmp_string(text) : json_null();
}

/* Call @fn on all devices of a kind, all if NULL; collect what it returns. */
static json_t *each_device(struct machine *m, const char *kind,
			   json_t *(*fn)(const struct device_stats *d))
{
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < m->nr_devices; i++) {
		struct device_stats d = { .kind = "other" };

		if (!m->device[i].ops->stats)
			continue;
		m->device[i].ops->stats(m->device[i].opaque, &d);
		if (!kind || !strcmp(kind, d.kind))
			json_array_append_new(list, fn(&d));
	}
	return list;
}

static json_t *block_value(const struct device_stats *d)
{
	return json_pack("{s:s,s:b,s:b,s:s,s:{s:o,s:b,s:o}}", "device", d->name, "locked", 0,
			 "removable", 0, "type", "unknown", "inserted", "file",
			 text_or_null(d->file), "ro", d->readonly, "drv", text_or_null(d->format));
}

static json_t *blockstats_value(const struct device_stats *d)
{
	return json_pack("{s:s,s:o}", "device", d->name, "stats", counters(d));
}

static json_t *device_value(const struct device_stats *d)
{
	return json_pack("{s:s,s:s,s:o,s:o,s:b,s:o}", "kind", d->kind, "device", d->name, "file",
			 text_or_null(d->file), "format", text_or_null(d->format), "read-only",
			 d->readonly, "stats", counters(d));
}

static json_t *query_block(struct qmp_session *s, json_t *args, char *error)
{
	(void)args;
	(void)error;
	return each_device(control_machine(s), "block", block_value);
}

static json_t *query_blockstats(struct qmp_session *s, json_t *args, char *error)
{
	(void)args;
	(void)error;
	return each_device(control_machine(s), "block", blockstats_value);
}

static json_t *query_device_stats(struct qmp_session *s, json_t *args, char *error)
{
	(void)args;
	(void)error;
	return each_device(control_machine(s), NULL, device_value);
}

/* ---- the table ------------------------------------------------------------------------------- */

const struct qmp_command control_commands[] = {
	{ "qmp_capabilities", "Ask for events; other commands do not wait for this.",
	  qmp_capabilities, { } },
	{ "query-commands", "What can be asked, with arguments.", query_commands, { } },
	{ "query-version", "Version of mkvm, in package.", query_version, { } },
	{ "query-name", "Name of the machine.", query_name, { } },
	{ "query-status", "Whether the guest runs: running, prelaunch, paused or io-error.",
	  query_status, { } },
	{ "query-info", "Name, process, status, size and accelerator of the machine.",
	  query_info, { } },
	{ "query-kvm", "Whether an accelerator is used: always.", query_kvm, { } },
	{ "query-cpus-fast", "The vCPUs and their threads.", query_cpus_fast, { } },
	{ "query-memory-size-summary", "Bytes of guest RAM.", query_memory, { } },
	{ "query-block", "The disks and their images.", query_block, { } },
	{ "query-blockstats", "Counters of the disks.", query_blockstats, { } },
	{ "query-device-stats", "Counters of all devices that count.", query_device_stats, { } },
	{ "query-stats", "The accelerator's counters of the VM or of each vCPU.", query_stats,
	  { { "target", QMP_STRING, false } } },
	{ "stop", "Pause the guest.", stop, { } },
	{ "cont", "Let a paused guest go on.", cont, { } },
	{ "system_powerdown", "Press the power button.", system_powerdown, { } },
	{ "system_reset", "Reset the machine, as by its reset button.", system_reset, { } },
	{ "quit", "End the machine at once, as by pulling its plug.", quit, { } },
	{ "console", "Turn this connection into a stream: the serial console. With replay, the "
	  "default, it begins with the last 64 KiB.", console,
	  { { "replay", QMP_BOOLEAN, true } } },
	{ },
};
