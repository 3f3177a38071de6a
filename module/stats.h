/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counters of VMs and vCPUs, named as KVM names those that mean the same
 * (stats.c tells userspace about them).
 *
 * A vCPU's are written by its own thread only, a VM's under vm->mmu.lock unless
 * said otherwise; readers take them as they are. Every member is a u64 or an
 * array of them, and has a descriptor in stats.c.
 */
#ifndef MINIKVM_STATS_H
#define MINIKVM_STATS_H

#include <linux/bitops.h>
#include <linux/minmax.h>
#include <linux/types.h>

#define STATS_NAME_SIZE		48
#define STATS_HALT_BUCKETS	32	/* the last one also holds what is longer */

struct vm;
struct vcpu;

/**
 * struct vm_stats - a VM's counters
 * @remote_tlb_flush: times that vCPUs were made to leave the guest for a flush
 * @remote_tlb_flush_requests: flushes asked for (any context, atomic)
 * @pages_4k: @pages_2m: @pages_1g: leaves of the second-dimension tables now
 */
struct vm_stats {
	atomic64_t remote_tlb_flush;
	atomic64_t remote_tlb_flush_requests;
	u64 pages_4k;
	u64 pages_2m;
	u64 pages_1g;
};

/**
 * struct vcpu_stats - a vCPU's counters
 * @halt_successful_poll: halts that ended while waited out awake
 * @halt_attempted_poll: halts waited out awake, for a while at least
 * @halt_wakeup: halts that slept and were woken
 * @halt_poll_success_ns: @halt_poll_fail_ns: time awake of either sort
 * @halt_wait_ns: time asleep
 * @halt_poll_success_hist: @halt_poll_fail_hist: @halt_wait_hist: the same by
 *	length, bucket n holds values of n bits
 * @blocking: waits asleep now
 * @pf_taken: EPT violations
 * @pf_fixed: those that made a mapping
 * @pf_emulate: those that were a device's
 * @pf_fast: those that a permission given back to a mapping settled
 * @tlb_flush: flushes of its translations
 * @exits: exits of the guest
 * @io_exits: @irq_exits: @irq_window_exits: @nmi_window_exits: exits by cause
 * @mmio_exits: accesses that went to userspace
 * @signal_exits: returns to userspace for a signal
 * @request_irq_exits: returns with IRQ_WINDOW_OPEN
 * @halt_exits: HLT executed
 * @l1d_flush: L1D flushed before an entry
 * @host_state_reload: guest state put away for the host's
 * @insn_emulation: @insn_emulation_fail: instructions emulated, and not
 * @hypercalls: VMCALL executed
 * @irq_injections: @nmi_injections: events given to an entry
 * @req_event: looked for an event to deliver
 */
struct vcpu_stats {
	u64 halt_successful_poll;
	u64 halt_attempted_poll;
	u64 halt_wakeup;
	u64 halt_poll_success_ns;
	u64 halt_poll_fail_ns;
	u64 halt_wait_ns;
	u64 halt_poll_success_hist[STATS_HALT_BUCKETS];
	u64 halt_poll_fail_hist[STATS_HALT_BUCKETS];
	u64 halt_wait_hist[STATS_HALT_BUCKETS];
	u64 blocking;
	u64 pf_taken;
	u64 pf_fixed;
	u64 pf_emulate;
	u64 pf_fast;
	u64 tlb_flush;
	u64 exits;
	u64 io_exits;
	u64 mmio_exits;
	u64 signal_exits;
	u64 irq_window_exits;
	u64 nmi_window_exits;
	u64 l1d_flush;
	u64 halt_exits;
	u64 request_irq_exits;
	u64 irq_exits;
	u64 host_state_reload;
	u64 insn_emulation;
	u64 insn_emulation_fail;
	u64 hypercalls;
	u64 irq_injections;
	u64 nmi_injections;
	u64 req_event;
};

/* One more value in a logarithmic histogram. */
static inline void stats_hist_add(u64 *hist, u64 value)
{
	hist[min(fls64(value), STATS_HALT_BUCKETS - 1)]++;
}

int stats_vm_fd(struct vm *vm);			/* GET_STATS_FD on a VM */
int stats_vcpu_fd(struct vcpu *vcpu);		/* and on a vCPU */

#endif
