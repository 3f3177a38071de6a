// SPDX-License-Identifier: GPL-2.0
/*
 * `mkvm apic`: the interrupt chips of a running machine.
 */
#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <sys/ioctl.h>

#include "inspect/apic.h"
#include "inspect/attach.h"
#include "inspect/live.h"
#include "inspect/options.h"
#include "report.h"

static const char help_text[] =
	"Usage: mkvm apic NAME [--vcpu N] [--json]\n"
	"\n"
	"The local APICs of a running machine's vCPUs, and its I/O APIC, register by register.\n"
	"\n"
	"  --pid PID  the VMM's process instead of NAME; any VMM on minikvm\n"
	"  --vcpu N   only this vCPU's\n"
	"  --wait MS  how long the guest may take to exit by itself, before it is made to\n"
	"             (default: 0)\n"
	"  --json     for programs\n";

/**
 * struct request - what the user wants
 * @name: of the machine, or NULL: @pid
 * @pid: 0: none given
 * @vcpu: number
 * @one: only @vcpu
 * @wait_ms: time for an exit
 * @json: as JSON
 */
struct request {
	const char *name;
	pid_t pid;
	unsigned long vcpu;
	bool one;
	unsigned long wait_ms;
	bool json;
};

static int parse_option(struct request *r, int c)
{
	switch (c) {
	case 'p':
		r->pid = attach_parse_pid(optarg);
		return r->pid < 0 ? -1 : 0;
	case 'v':
		r->one = true;
		return option_number("--vcpu", optarg, 0, 0xffffffff, &r->vcpu);
	case 'w':
		return option_number("--wait", optarg, 0, MINIKVM_INSPECT_MAX_WAIT_MS,
				     &r->wait_ms);
	case 'j':
		r->json = true;
		return 0;
	default:
		return -1;
	}
}

static int parse(struct request *r, int argc, char **argv)
{
	static const struct option options[] = {
		{ "pid", required_argument, NULL, 'p' }, { "vcpu", required_argument, NULL, 'v' },
		{ "wait", required_argument, NULL, 'w' }, { "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	*r = (struct request){ .name = NULL };
	/* Zero: whatever getopt() was used for before. */
	optind = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (parse_option(r, c))
			return -1;
	}
	return option_machine("apic", argc, argv, r->pid, &r->name);
}

/* One vCPU: printed, or put into @list. */
static int one_vcpu(const struct attached *a, const struct attached_vcpu *v,
		    const struct request *r, json_t *list)
{
	struct minikvm_inspect_lapic l = { .wait_ms = (u32)r->wait_ms };

	if (attach_gone(a))
		return report("%s has ended", a->label);
	if (ioctl(v->fd, MINIKVM_INSPECT_LAPIC, &l))
		return live_failed(a, "the local APIC");
	if (list)
		json_array_append_new(list, lapic_json(v->id, &l));
	else
		lapic_show(stdout, v->id, &l);
	return 0;
}

/* The I/O APIC: printed, or put into @json. A VM without one has none to show. */
static int io_apic(const struct attached *a, json_t *json)
{
	struct minikvm_irqchip chip = { .chip_id = MINIKVM_IRQCHIP_IOAPIC };

	if (ioctl(a->vm_fd, MINIKVM_INSPECT_IRQCHIP, &chip)) {
		if (errno != ENXIO)
			return live_failed(a, "the I/O APIC");
		if (json)
			json_object_set_new(json, "ioapic", json_null());
		else
			printf("I/O APIC: in the VMM, if there is one\n");
		return 0;
	}
	if (json)
		json_object_set_new(json, "ioapic", ioapic_json(&chip.chip.ioapic));
	else
		ioapic_show(stdout, &chip.chip.ioapic);
	return 0;
}

static int print_all(const struct attached *a, const struct request *r)
{
	json_t *list = r->json ? json_array() : NULL;
	json_t *json = r->json ? json_pack("{s:s,s:o}", "machine", a->label, "lapics", list) : NULL;
	unsigned int i;
	int err = 0;

	if (r->one && attach_vcpu(a, (unsigned int)r->vcpu) < 0)
		err = -1;
	for (i = 0; !err && i < a->nr_vcpus; i++) {
		if (!r->one || a->vcpus[i].id == r->vcpu)
			err = one_vcpu(a, &a->vcpus[i], r, list);
	}
	if (!err && !r->one)
		err = io_apic(a, json);
	if (!r->json)
		return err;
	if (!err)
		return output_json(json, JSON_INDENT(1));
	json_decref(json);
	return err;
}

int cmd_apic(int argc, char **argv)
{
	struct attached machine;
	struct request r;
	int err;

	if (option_help(argc, argv)) {
		fputs(help_text, stdout);
		return 0;
	}
	if (parse(&r, argc, argv))
		return EXIT_ERROR;
	err = attach_open(&machine, r.name, r.pid) || print_all(&machine, &r);
	attach_close(&machine);
	if (!err && (fflush(stdout) || ferror(stdout)))
		err = report("cannot write: %s", strerror(errno));
	return err ? EXIT_ERROR : 0;
}
