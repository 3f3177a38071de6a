/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The exception that an access made in the guest's place causes. Kept apart
 * so that the pure parts of the emulator build outside the kernel.
 */
#ifndef MINIKVM_FAULT_H
#define MINIKVM_FAULT_H

#include <linux/types.h>

/**
 * struct gva_fault - what to inject
 * @vector: exception vector
 * @error_code: valid if @has_error_code
 * @address: CR2 of a page fault
 * @has_error_code: the vector pushes one in protected mode
 */
struct gva_fault {
	u8 vector;
	u32 error_code;
	u64 address;
	bool has_error_code;
};

#endif
