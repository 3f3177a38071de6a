// SPDX-License-Identifier: GPL-2.0
/*
 * Asks the module for the VMCS of a vCPU, and says in words why it refuses.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "inspect/live.h"
#include "minikvm_inspect.h"
#include "report.h"

int live_failed(const struct attached *a, const char *what)
{
	if (errno == EPERM)
		return report("%s: reading %s needs CAP_SYS_ADMIN: try as root", a->label, what);
	if (errno == ENOTTY)
		return report("%s: this minikvm module is too old to show %s", a->label, what);
	if (attach_gone(a))
		return report("%s has ended", a->label);
	return report("%s: cannot read %s: %s", a->label, what, strerror(errno));
}

static int read_caps(const struct attached *a, struct vmcs_dump *d)
{
	struct minikvm_inspect_caps caps;
	unsigned int i;

	if (ioctl(a->vm_fd, MINIKVM_INSPECT_CAPS, &caps))
		return live_failed(a, "the VMX capability MSRs");
	d->phys_bits = (u8)caps.phys_bits;
	d->linear_bits = (u8)caps.virt_bits;
	for (i = 0; i < DUMP_NR_CAPS && i < MINIKVM_INSPECT_NR_CAPS; i++) {
		u32 at = caps.first + i - DUMP_FIRST_CAP;

		if (!(caps.valid & BIT_ULL(i)) || at >= DUMP_NR_CAPS)
			continue;
		d->caps[at] = caps.value[i];
		d->has_cap |= BIT(at);
	}
	return 0;
}

int live_vmcs(const struct attached *a, int fd, unsigned int wait_ms, struct vmcs_dump *d)
{
	static struct minikvm_inspect_field fields[DUMP_MAX_FIELDS];
	struct minikvm_inspect_vmcs v = {
		.wait_ms = wait_ms,
		.nr = ARRAY_SIZE(fields),
		.fields = (uintptr_t)fields,
	};
	const char *wrong;
	unsigned int i;

	memset(d, 0, sizeof(*d));
	snprintf(d->machine, sizeof(d->machine), "%s", a->label);
	if (read_caps(a, d))
		return -1;
	if (attach_gone(a))
		return report("%s has ended", a->label);
	if (ioctl(fd, MINIKVM_INSPECT_VMCS, &v))
		return live_failed(a, "the VMCS");
	for (i = 0; i < v.nr && i < ARRAY_SIZE(fields); i++) {
		wrong = dump_add(d, fields[i].encoding, fields[i].value);
		if (wrong)
			return report("%s: field 0x%04x %s", a->label, fields[i].encoding, wrong);
	}
	d->vcpu = v.vcpu_id;
	d->cpu = v.cpu;
	d->pending = v.pending;
	d->exits = v.exits;
	d->tsc = v.tsc;
	return 0;
}
