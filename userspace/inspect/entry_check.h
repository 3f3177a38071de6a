/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The checks of VM entry on a VMCS that was read or saved.
 */
#ifndef MKVM_INSPECT_ENTRY_CHECK_H
#define MKVM_INSPECT_ENTRY_CHECK_H

#include "inspect/vmcs.h"

struct vmcs_rule;

/**
 * entry_check() - print which rules a VMCS breaks
 * @out: where to
 * @d: the VMCS
 * @json: as JSON, on standard output
 *
 * Return: 0 none; 1 some; -1 after a report.
 */
int entry_check(const struct vmcs_output *out, const struct vmcs_dump *d, bool json);

/** entry_check_rule() - the rule of this name, or NULL */
const struct vmcs_rule *entry_check_rule(const char *name);

#endif
