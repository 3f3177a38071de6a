/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Changing the hypervisor of a running host: one module out, the other in.
 */
#ifndef MKVM_COMPARE_MODULES_H
#define MKVM_COMPARE_MODULES_H

#include "compare/compare.h"

/** struct swap - what was loaded before, to be restored */
struct swap {
	bool had_stock, had_ours;
	char stock[64], ours[64];
};

/** cpu_has_vmx() - has this host VT-x, and the firmware not locked it away? */
bool cpu_has_vmx(void);

/** modules_begin() - can what is wanted be had here? 0, or -1 after a report that says why not */
int modules_begin(const struct compare *c, struct swap *s);

/**
 * modules_choose() - unload the one, load the other
 * @c: the modules
 * @s: begun
 * @minikvm: which is wanted
 * @host: gets a note about what could not be unloaded because it is no module
 *
 * Return: 0, or -1 after a report that says what is in the way.
 */
int modules_choose(const struct compare *c, struct swap *s, bool minikvm, json_t *host);

/** modules_end() - load and unload what makes it as it was; 0, or -1 after a report */
int modules_end(const struct compare *c, struct swap *s);

/**
 * module_name() - name of a module, by its name or its file
 * @name: gets it, as in /sys/module
 * @size: room
 * @module: a name, or a path with '/' or ending in ".ko"
 *
 * Return: false if that can be no module's.
 */
bool module_name(char *name, size_t size, const char *module);

/**
 * module_holders() - which processes have a device or its VMs open
 * @text: gets "NAME (PID), ..."; empty: none that we may see
 * @size: room
 * @device: the device, "/dev/kvm"
 * @vm: what its VMs are called in /proc/PID/fd, "anon_inode:kvm-vm"
 */
void module_holders(char *text, size_t size, const char *device, const char *vm);

#endif
