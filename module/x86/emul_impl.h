/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An emulation in progress: what emulate.c, which runs it, shares with
 * emul_mem.c (accesses) and emul_sys.c (segments and system registers).
 */
#ifndef MINIKVM_EMUL_IMPL_H
#define MINIKVM_EMUL_IMPL_H

#include "exec.h"
#include "selector.h"
#include "x86.h"

#define MAX_ACCESS	32	/* bytes of the widest access */
#define MAX_READS	40	/* of one instruction: FXRSTOR, ENTER */
#define MAX_WRITES	40
#define MAX_PIECES	80	/* FXSAVE in eights, and then some */
#define MAX_ELEMENTS	1024	/* of a string instruction in one go */

/**
 * struct emul_piece - up to eight bytes for userspace
 * @gpa: where
 * @data: bytes, in struct emul_ctx
 * @len: 1..8
 */
struct emul_piece {
	gpa_t gpa;
	u8 *data;
	u8 len;
};

/**
 * struct emul_write - a write that happens when the instruction is through
 * @gpa: where; does not cross a page
 * @old: with @atomic: what must be there
 * @len: bytes
 * @atomic: part of a locked instruction
 * @data: bytes
 */
struct emul_write {
	gpa_t gpa;
	u64 old;
	u8 len;
	bool atomic;
	u8 data[MAX_ACCESS];
};

/**
 * struct emul_ctx - emulation in progress on one vCPU
 * @x: the instruction and its registers
 * @vcpu: whose
 * @start_rip: RIP of the instruction, to notice that userspace changed it
 * @start_tf: RFLAGS.TF before it
 * @io_allowed: the CPU has checked that the instruction may access its port
 * @access: GVA_USER if the guest runs in ring 3
 * @exit_gpa: what the CPU found for the operand; MK_INVALID_GPA when used up
 * @reads: results of reads so far, for the execution that comes next
 * @nr_reads: how many
 * @next_read: which one this execution is at
 * @read_len: bytes of the read that waits for userspace
 * @writes: what the execution is to write
 * @nr_writes: how many
 * @piece: what userspace is to do
 * @nr_pieces: how many
 * @cur_piece: which one is with userspace
 * @mmio_write: these are writes
 * @port: @port_len: @port_data: a port to be read or written
 * @port_wait: an execution waits for a port to be read
 * @port_write: the execution writes a port
 * @seg: segment registers to be loaded
 * @seg_mask: which
 * @bytes: the instruction
 * @nr_bytes: how many were fetched
 * @fast: the instructions of emul_fast.c; NULL until there is one
 * @decoded: the bytes that @x.insn was decoded from
 * @nr_decoded: how many; 0: @x.insn is not valid
 * @decoded_mode: in which mode
 */
struct emul_ctx {
	struct exec x;
	struct vcpu *vcpu;
	u64 start_rip;
	bool start_tf;
	bool io_allowed;
	u32 access;
	gpa_t exit_gpa;
	int nr_reads, next_read;
	u32 read_len;
	int nr_writes;
	int nr_pieces, cur_piece;
	bool mmio_write;
	u16 port;
	u8 port_len;
	bool port_wait, port_write;
	u32 port_data;
	u32 seg_mask;
	u8 bytes[INSN_MAX];
	u8 nr_bytes;
	struct emul_fast *fast;
	u8 decoded[INSN_MAX];
	u8 nr_decoded;
	enum x86_mode decoded_mode;
	u8 reads[MAX_READS][MAX_ACCESS];
	struct emul_write writes[MAX_WRITES];
	struct emul_piece piece[MAX_PIECES];
	struct minikvm_segment seg[NR_VCPU_SEGS];
};

static inline struct emul_ctx *emul_ctx_of(struct exec *x)
{
	return container_of(x, struct emul_ctx, x);
}

/* emul_fast.c */
bool emul_fast(struct vcpu *vcpu, gpa_t gpa, enum exit_action *action);
void emul_fast_learn(struct emul_ctx *c);

/* emul_mem.c */
int emul_device_access(struct vcpu *vcpu, gpa_t gpa, void *data, u32 len, bool write);
enum exec_result emul_read(struct exec *x, int seg, u64 ea, void *buf, u32 size);
enum exec_result emul_write(struct exec *x, int seg, u64 ea, const void *buf, u32 size);
/* The CPU's own accesses; a fault is left in @fault. */
enum exec_result emul_read_linear(struct emul_ctx *c, u64 linear, void *buf, u32 size,
				  struct gva_fault *fault);
enum exec_result emul_write_linear(struct emul_ctx *c, u64 linear, const void *buf, u32 size,
				   struct gva_fault *fault);
enum exec_result emul_port_in(struct exec *x, u16 port, void *buf, u32 size);
enum exec_result emul_port_out(struct exec *x, u16 port, const void *buf, u32 size);
void emul_remember_read(struct emul_ctx *c);
int emul_apply_writes(struct emul_ctx *c);	/* 0; -EAGAIN: lost a locked operand */

/* emul_sys.c */
u16 emul_selector(struct exec *x, int seg);
enum exec_result emul_load_segment(struct exec *x, int seg, u16 selector,
				   enum seg_transfer how, struct code_segment *code);
enum exec_result emul_system(struct exec *x);
void emul_selector_env(struct vcpu *vcpu, struct selector_env *env);
bool emul_vector_allowed(struct emul_ctx *c);	/* false: c->x.fault */

#endif
