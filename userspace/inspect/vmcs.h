/* SPDX-License-Identifier: GPL-2.0 */
/*
 * `mkvm vmcs`: what its parts share.
 */
#ifndef MKVM_INSPECT_VMCS_H
#define MKVM_INSPECT_VMCS_H

#include <stdio.h>

#include "inspect/attach.h"
#include "inspect/dump.h"
#include "minikvm_inspect.h"

/**
 * struct vmcs_output - where and how it is printed
 * @f: the stream
 * @colour: it is a terminal that shows colours
 */
struct vmcs_output {
	FILE *f;
	bool colour;
};

/** vmcs_show() - print all of it for a reader */
void vmcs_show(const struct vmcs_output *out, const struct vmcs_dump *d);

/** vmcs_show_json() - as JSON: the dump, and "decoded"; a new reference */
json_t *vmcs_show_json(const struct vmcs_dump *d);

/**
 * vmcs_diff() - print what differs between two exits
 *
 * Return: how many fields do.
 */
unsigned int vmcs_diff(const struct vmcs_output *out, const struct vmcs_dump *before,
		       const struct vmcs_dump *after);

/** vmcs_diff_json() - as JSON; a new reference */
json_t *vmcs_diff_json(const struct vmcs_dump *before, const struct vmcs_dump *after);

/** vmcs_title() - print one line that says whose VMCS it is, and of which exit */
void vmcs_title(const struct vmcs_output *out, const struct vmcs_dump *d);

#define BITMAPS_IO	(MINIKVM_INSPECT_BITMAP_IO_A | MINIKVM_INSPECT_BITMAP_IO_B)

/**
 * struct vmcs_bitmaps - the MSR and I/O bitmaps of a vCPU
 * @present: MINIKVM_INSPECT_BITMAP_*
 * @msr: reads of low MSRs, of high ones, writes of low ones, of high ones
 * @io: both of them: one bit for each port
 */
struct vmcs_bitmaps {
	u32 present;
	u8 msr[MINIKVM_INSPECT_BITMAP_BYTES];
	u8 io[2 * MINIKVM_INSPECT_BITMAP_BYTES];
};

/** bitmaps_read() - read them of a live vCPU; 0, or -1 after a report */
int bitmaps_read(struct vmcs_bitmaps *b, const struct attached *a, int fd, unsigned int wait_ms);

/** bitmaps_show() - print what makes no exit */
void bitmaps_show(const struct vmcs_output *out, const struct vmcs_bitmaps *b);

/** bitmaps_json() - the same as JSON; a new reference */
json_t *bitmaps_json(const struct vmcs_bitmaps *b);

/** cmd_vmcs() - the subcommand; the exit status */
int cmd_vmcs(int argc, char **argv);

#endif
