/* SPDX-License-Identifier: GPL-2.0 */
/*
 * `mkvm apic`: what its parts share.
 */
#ifndef MKVM_INSPECT_APIC_H
#define MKVM_INSPECT_APIC_H

#include <jansson.h>
#include <stdio.h>

#include "inspect/word.h"
#include "minikvm_inspect.h"

/** lapic_register() - a register of a local APIC, by its offset in the xAPIC page */
u32 lapic_register(const struct minikvm_inspect_lapic *l, u32 offset);

/** lapic_show() - print a local APIC for a reader */
void lapic_show(FILE *f, unsigned int vcpu, const struct minikvm_inspect_lapic *l);

/** lapic_json() - as JSON, a new reference */
json_t *lapic_json(unsigned int vcpu, const struct minikvm_inspect_lapic *l);

/** ioapic_show() - print the I/O APIC for a reader */
void ioapic_show(FILE *f, const struct minikvm_ioapic_state *s);

/** ioapic_json() - as JSON, a new reference */
json_t *ioapic_json(const struct minikvm_ioapic_state *s);

/** cmd_apic() - the subcommand; the exit status */
int cmd_apic(int argc, char **argv);

#endif
