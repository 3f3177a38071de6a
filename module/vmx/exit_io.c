// SPDX-License-Identifier: GPL-2.0
/*
 * Exits of IN, OUT, INS and OUTS.
 *
 * Source: Intel SDM vol. 3C (December 2023), "Exit Qualification for I/O
 * Instructions", "Format of the VM-Exit Instruction-Information Field as Used
 * for INS and OUTS".
 */
#include "vmx.h"
#include "../x86/x86.h"

/**
 * exit_io - describe the access and hand it to the port bus
 * @vcpu: the vCPU
 * SDM: "Exit Qualification for I/O Instructions".
 */
enum exit_action exit_io(struct vcpu *vcpu)
{
	unsigned long qual = vmx_exit_qual(to_vmx(vcpu));
	struct pio_access *pio = &vcpu->pio;

	vcpu->stats.io_exits++;
	pio->port = qual_io_port(qual);
	pio->size = qual_io_size(qual);
	pio->in = qual_io_is_in(qual);
	pio->string = qual_io_is_string(qual);
	pio->rep = qual_io_is_rep(qual);
	if (unlikely(pio->string)) {
		/* Valid because every CPU with unrestricted guest reports INS/OUTS there. */
		u32 info = vmcs_read32(VMX_INSTRUCTION_INFO);

		pio->addr_size = insn_info_addr_size(info);
		/* INS always writes to ES; its segment bits are undefined. */
		pio->seg = pio->in ? SEG_ES : insn_info_segment(info);
	}
	return pio_exec(vcpu);
}
