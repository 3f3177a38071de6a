// SPDX-License-Identifier: GPL-2.0
/*
 * What userspace is told when an instruction cannot be emulated: the exit that
 * led to it, and the instruction's bytes if they were fetched.
 */
#include <linux/minmax.h>
#include <linux/string.h>

#include "x86.h"

/* run->internal.data, past the flags and, if there are any, the bytes. */
#define INSN_DATA	2
static_assert(sizeof_field(struct minikvm_run, emulation_failure.insn_size) +
	      sizeof_field(struct minikvm_run, emulation_failure.insn_bytes) ==
	      INSN_DATA * sizeof(u64));

/**
 * emulation_failure_exit - leave with INTERNAL_ERROR_EMULATION
 * @vcpu: the vCPU, by its own thread, after the exit that asked for emulation
 * @bytes: the instruction, as far as it was fetched
 * @nr_bytes: how many, at most 15; 0 if it is not known
 *
 * internal.data holds the flags, the bytes (if any), and of the exit: reason,
 * qualification, IDT-vectoring information, interruption information and its
 * error code.
 *
 * Return: EXIT_TO_USER.
 */
enum exit_action emulation_failure_exit(struct vcpu *vcpu, const u8 *bytes, u8 nr_bytes)
{
	struct minikvm_run *run = vcpu->run;
	struct exit_info info;
	u64 *data = &run->internal.data[1];

	run->exit_reason = MINIKVM_EXIT_INTERNAL_ERROR;
	run->emulation_failure.suberror = MINIKVM_INTERNAL_ERROR_EMULATION;
	run->emulation_failure.flags = 0;
	if (nr_bytes) {
		nr_bytes = min_t(u8, nr_bytes, sizeof(run->emulation_failure.insn_bytes));
		run->emulation_failure.flags =
			MINIKVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES;
		run->emulation_failure.insn_size = nr_bytes;
		/* The rest reads as NOPs, which a disassembler copes with. */
		memset(run->emulation_failure.insn_bytes, 0x90,
		       sizeof(run->emulation_failure.insn_bytes));
		memcpy(run->emulation_failure.insn_bytes, bytes, nr_bytes);
		data += INSN_DATA;
	}
	vendor->get_exit_info(vcpu, &info);
	data[0] = info.reason;
	data[1] = info.qualification;
	data[2] = info.idt_info;
	data[3] = info.intr_info;
	data[4] = info.error_code;
	run->emulation_failure.ndata = data + 5 - run->internal.data;
	return EXIT_TO_USER;
}

/**
 * emulation_failed - an instruction is not one that can be emulated
 * @vcpu: the vCPU, by its own thread, RIP at the instruction
 * @bytes: the instruction, as far as it was fetched
 * @nr_bytes: how many
 *
 * Outside ring 0 the guest gets #UD, as if the instruction did not exist. In
 * ring 0 the VMM is told; if it runs the vCPU again without a change the guest
 * gets its #UD too. With CAP_EXIT_ON_EMULATION_FAILURE the VMM is told always,
 * and no exception waits.
 *
 * Return: EXIT_RESUME or EXIT_TO_USER.
 */
enum exit_action emulation_failed(struct vcpu *vcpu, const u8 *bytes, u8 nr_bytes)
{
	vcpu->stats.insn_emulation_fail++;
	if (READ_ONCE(vcpu->vm->exit_on_emulation_failure))
		return emulation_failure_exit(vcpu, bytes, nr_bytes);
	inject_ud(vcpu);
	if (vendor->get_cpl(vcpu))
		return EXIT_RESUME;
	return emulation_failure_exit(vcpu, bytes, nr_bytes);
}
