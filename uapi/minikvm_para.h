/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Owns the paravirtual interface between mini-KVM and its guests: CPUID leaves,
 * MSRs and the layout of the memory they share, all numerically KVM's, so that
 * a guest kernel that knows KVM needs no change.
 *
 * MINIKVM_MSR_X is MSR_KVM_X of <asm/kvm_para.h>. A feature is offered only if
 * its bit is set in EAX of leaf MINIKVM_CPUID_FEATURES.
 */
#ifndef _UAPI_MINIKVM_PARA_H
#define _UAPI_MINIKVM_PARA_H

#include <linux/types.h>

#define MINIKVM_CPUID_SIGNATURE	0x40000000	/* EBX, ECX, EDX: signature */
#define MINIKVM_SIGNATURE	"KVMKVMKVM\0\0\0"
#define MINIKVM_CPUID_FEATURES	0x40000001	/* EAX: bits below */

#define MINIKVM_FEATURE_CLOCKSOURCE		0	/* MSRs 0x11, 0x12 */
#define MINIKVM_FEATURE_NOP_IO_DELAY		1
#define MINIKVM_FEATURE_CLOCKSOURCE2		3	/* MSRs 0x4b564d00, 01 */
#define MINIKVM_FEATURE_ASYNC_PF		4
#define MINIKVM_FEATURE_STEAL_TIME		5
#define MINIKVM_FEATURE_PV_EOI			6
#define MINIKVM_FEATURE_PV_UNHALT		7
#define MINIKVM_FEATURE_PV_TLB_FLUSH		9
#define MINIKVM_FEATURE_PV_SEND_IPI		11
#define MINIKVM_FEATURE_POLL_CONTROL		12
#define MINIKVM_FEATURE_PV_SCHED_YIELD		13
#define MINIKVM_FEATURE_CLOCKSOURCE_STABLE_BIT	24	/* pvclock flags count */

#define MINIKVM_MSR_WALL_CLOCK		0x11
#define MINIKVM_MSR_SYSTEM_TIME		0x12
#define MINIKVM_MSR_WALL_CLOCK_NEW	0x4b564d00
#define MINIKVM_MSR_SYSTEM_TIME_NEW	0x4b564d01
#define MINIKVM_MSR_ASYNC_PF_EN		0x4b564d02
#define MINIKVM_MSR_STEAL_TIME		0x4b564d03
#define MINIKVM_MSR_PV_EOI_EN		0x4b564d04
#define MINIKVM_MSR_POLL_CONTROL	0x4b564d05

#define MINIKVM_MSR_ENABLED		1	/* bit 0 of SYSTEM_TIME and others */

/* MINIKVM_MSR_STEAL_TIME: the record's address, 64 bytes aligned, and bit 0 */
#define MINIKVM_STEAL_VALID_BITS	(-1ULL << 6)
#define MINIKVM_STEAL_RESERVED_MASK	0x3e

/* Hypercall numbers (RAX of VMCALL) and the errors returned in RAX, negative. */
#define MINIKVM_HC_VAPIC_POLL_IRQ	1
#define MINIKVM_HC_KICK_CPU		5
#define MINIKVM_HC_CLOCK_PAIRING	9
#define MINIKVM_HC_SEND_IPI		10
#define MINIKVM_HC_SCHED_YIELD		11
#define MINIKVM_HC_MAP_GPA_RANGE	12
#define MINIKVM_ENOSYS			1000
#define MINIKVM_EPERM			1
#define MINIKVM_EFAULT			14
#define MINIKVM_EINVAL			22
#define MINIKVM_EOPNOTSUPP		95

#define MINIKVM_CLOCK_PAIRING_WALLCLOCK	0	/* RCX of HC_CLOCK_PAIRING */

/* minikvm_steal_time.preempted */
#define MINIKVM_VCPU_PREEMPTED		0x1
#define MINIKVM_VCPU_FLUSH_TLB		0x2

/* The byte at MINIKVM_MSR_PV_EOI_EN: set, the guest clears it instead of an EOI. */
#define MINIKVM_PV_EOI_ENABLED		1

/* minikvm_pvclock.flags */
#define MINIKVM_PVCLOCK_TSC_STABLE_BIT	0x1
#define MINIKVM_PVCLOCK_GUEST_STOPPED	0x2

/**
 * struct minikvm_pvclock - per-vCPU time record (MINIKVM_MSR_SYSTEM_TIME*)
 * @version: odd while the kernel updates the record
 * @tsc_timestamp: guest TSC at the last update
 * @system_time: nanoseconds of guest time at the last update
 * @tsc_to_system_mul: nanoseconds per TSC tick as a 0.32 fraction
 * @tsc_shift: signed shift applied to the TSC delta first
 * @flags: MINIKVM_PVCLOCK_*
 *
 * Written by the kernel, read by the guest. All fields little endian.
 */
struct minikvm_pvclock {
	__u32 version;
	__u32 pad0;
	__u64 tsc_timestamp;
	__u64 system_time;
	__u32 tsc_to_system_mul;
	__s8 tsc_shift;
	__u8 flags;
	__u8 pad[2];
};

/**
 * struct minikvm_wall_clock - wall time of guest boot (MINIKVM_MSR_WALL_CLOCK*)
 * @version: odd while the kernel updates the record
 * @sec: seconds since the epoch when guest time was 0
 * @nsec: and nanoseconds
 */
struct minikvm_wall_clock {
	__u32 version;
	__u32 sec;
	__u32 nsec;
};

/**
 * struct minikvm_steal_time - time a vCPU waited for a CPU (MINIKVM_MSR_STEAL_TIME)
 * @steal: nanoseconds runnable but not running, since the record was given
 * @version: odd while the kernel updates the record
 * @flags: 0
 * @preempted: MINIKVM_VCPU_PREEMPTED set by the kernel while the vCPU is
 *	runnable but not running; MINIKVM_VCPU_FLUSH_TLB set by other vCPUs then
 *
 * One per vCPU, in guest memory.
 */
struct minikvm_steal_time {
	__u64 steal;
	__u32 version;
	__u32 flags;
	__u8  preempted;
	__u8  u8_pad[3];
	__u32 pad[11];
};

/**
 * struct minikvm_clock_pairing - one instant on two clocks (HC_CLOCK_PAIRING)
 * @sec: host CLOCK_REALTIME, seconds
 * @nsec: and nanoseconds
 * @tsc: guest TSC
 * @flags: 0
 */
struct minikvm_clock_pairing {
	__s64 sec;
	__s64 nsec;
	__u64 tsc;
	__u32 flags;
	__u32 pad[9];
};

#endif /* _UAPI_MINIKVM_PARA_H */
