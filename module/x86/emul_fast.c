// SPDX-License-Identifier: GPL-2.0
/*
 * The short way through an access to a device register: nearly all are a plain MOV
 * of one register, by a few instructions of a driver that come again and again.
 *
 * What is remembered of each such place: what its bytes decode to, and which words
 * decided that, the bytes themselves and the entries of the guest's page tables
 * that lead to them. All of these are read and compared each time, so that code or
 * tables that change take the long way (emulate.c), as does whatever is unusual. A
 * place is valid only for the registers that decide how code is fetched; the
 * guest's CPUID, which has a say in it, does not change once the guest has run.
 */
#include <linux/hash.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "../memslot.h"
#include "../trace.h"
#include "debug.h"
#include "emul_impl.h"
#include "paging.h"

#define SITE_BITS	4

/* Of these registers, what the fetch of an instruction in IA-32e mode depends on. */
#define FETCH_CR4	(X86_CR4_LA57 | X86_CR4_SMEP)
#define FETCH_EFER	(EFER_LMA | EFER_NX)

/**
 * struct emul_site - an instruction that accessed a device register
 * @rip: where it is
 * @cr3: the page tables it was found through
 * @efer: the bits of FETCH_EFER
 * @cr4: the bits of FETCH_CR4
 * @cpl: privilege level
 * @valid: the rest means something
 * @gfn: a frame that is no memory in the slots of @watch, the last one accessed
 * @watch: its bytes, and the page-table entries that lead to them
 * @insn: decoded
 */
struct emul_site {
	u64 rip, cr3;
	u64 efer;
	u32 cr4;
	u8 cpl;
	bool valid;
	gfn_t gfn;
	struct guest_watch watch;
	struct insn insn;
};

/**
 * struct emul_fast - the places of one vCPU, and the read that is with userspace
 * @site: by hash of RIP
 * @insn: the instruction that reads
 * @rip: where it is
 */
struct emul_fast {
	struct emul_site site[1 << SITE_BITS];
	struct insn insn;
	u64 rip;
};

static u32 access_size(const struct insn *i)
{
	return i->op == OP_MOV ? i->op_size : i->src_size;
}

static bool is_load(const struct insn *i)
{
	return i->op != OP_MOV || i->form == FORM_REG_RM || i->form == FORM_ACC_MEM;
}

/* A move between a register or an immediate and memory, addressed without ado. */
static bool insn_is_plain(const struct insn *i)
{
	bool high_byte = !i->rex && i->op_size == 1 && i->reg >= 4;

	if (!i->mem || i->lock || i->align || i->addr_size != 8 || i->seg >= SEG_FS ||
	    i->base == REG_RSP || i->index == REG_RSP)
		return false;
	switch (i->op) {
	case OP_MOV:
		switch (i->form) {
		case FORM_RM_REG:
		case FORM_REG_RM:
			return i->reg != REG_RSP && !high_byte;
		case FORM_RM_IMM:
		case FORM_ACC_MEM:
		case FORM_MEM_ACC:
			return true;
		default:
			return false;
		}
	case OP_MOVZX:
	case OP_MOVSX:
		return i->form == FORM_REG_RM && i->reg != REG_RSP;
	default:
		return false;
	}
}

static struct emul_site *site_of(struct emul_fast *fast, u64 rip)
{
	return &fast->site[hash_64(rip, SITE_BITS)];
}

/* ---- learning ------------------------------------------------------------- */

/* @bytes has room for two words. */
static int watch_code(struct vcpu *vcpu, struct guest_watch *watch, gpa_t gpa,
		      const u8 *bytes, u32 len)
{
	u64 mask = len >= 8 ? ~0ull : BIT_ULL(8 * len) - 1;
	u64 word;
	int err;

	memcpy(&word, bytes, sizeof(word));
	err = guest_watch_add(vcpu->vm, watch, gpa, word, mask);
	if (err || len <= 8)
		return err;
	/* The last eight bytes; some are compared twice. */
	memcpy(&word, bytes + len - 8, sizeof(word));
	return guest_watch_add(vcpu->vm, watch, gpa + len - 8, word, ~0ull);
}

static int watch_site(struct emul_ctx *c, struct guest_watch *watch)
{
	struct vcpu *vcpu = c->vcpu;
	struct paging_path path;
	struct gva_fault fault;
	gpa_t gpa;
	int i, err;

	if (gva_walk(vcpu, c->start_rip, c->access | GVA_FETCH, &gpa, &fault, &path))
		return -EFAULT;
	watch->nr = 0;
	for (i = 0; i < path.nr; i++) {
		err = guest_watch_add(vcpu->vm, watch, path.at[i], path.pte[i], ~0ull);
		if (err)
			return err;
	}
	err = watch_code(vcpu, watch, gpa, c->bytes, c->x.insn.len);
	/* Both what was decoded and what the walk found must be what is there now. */
	return err ? err : guest_watch_same(vcpu->vm, watch) ? 0 : -EAGAIN;
}

/**
 * emul_fast_learn - an instruction was decoded: it may come again
 * @c: its emulation, about to be executed
 */
void emul_fast_learn(struct emul_ctx *c)
{
	struct vcpu *vcpu = c->vcpu;
	struct emul_site *site;

	if ((c->x.mode != X86_MODE_LONG && c->x.mode != X86_MODE_LONG57) ||
	    !insn_is_plain(&c->x.insn))
		return;
	if (!c->fast)
		c->fast = kzalloc(sizeof(*c->fast), GFP_KERNEL_ACCOUNT);
	if (!c->fast)
		return;		/* the long way works, too */
	site = site_of(c->fast, c->start_rip);
	site->valid = false;
	if (watch_site(c, &site->watch))
		return;
	site->rip = c->start_rip;
	site->cr3 = cr3_read(vcpu);
	site->cr4 = vcpu->cr4 & FETCH_CR4;
	site->efer = vcpu->efer & FETCH_EFER;
	site->cpl = c->x.cpl;
	site->gfn = ~0ull;
	site->insn = c->x.insn;
	site->valid = true;
}

/* ---- using ---------------------------------------------------------------- */

/* The instruction at RIP, if it is a remembered one and all is as it was. */
static struct emul_site *find_site(struct vcpu *vcpu, struct emul_fast *fast)
{
	u64 rip = rip_read(vcpu);
	struct emul_site *site = site_of(fast, rip);
	bool db, l;

	if (!site->valid || site->rip != rip || site->efer != (vcpu->efer & FETCH_EFER) ||
	    (vcpu->cr4_guest_owned & FETCH_CR4) || site->cr4 != (vcpu->cr4 & FETCH_CR4) ||
	    site->cr3 != cr3_read(vcpu))
		return NULL;
	vendor->get_cs_db_l(vcpu, &db, &l);
	if (!l || site->cpl != vendor->get_cpl(vcpu))
		return NULL;
	return guest_watch_same(vcpu->vm, &site->watch) ? site : NULL;
}

static bool is_memory(struct vcpu *vcpu, gfn_t gfn)
{
	bool found;
	int idx;

	idx = srcu_read_lock(&vcpu->vm->srcu);
	found = memslots_find(vm_memslots(vcpu->vm), gfn);
	srcu_read_unlock(&vcpu->vm->srcu, idx);
	return found;
}

/* Is @gpa where the instruction's operand must be, as far as it can be told? */
static bool operand_is_at(struct vcpu *vcpu, struct emul_site *site, gpa_t gpa)
{
	const struct insn *i = &site->insn;
	u64 ea = i->disp;

	if (i->base == REG_PC)
		ea += site->rip + i->len;
	else if (i->base != REG_NONE)
		ea += vcpu->regs[i->base];
	if (i->index != REG_NONE)
		ea += vcpu->regs[i->index] << i->scale;
	if (offset_in_page(ea) != offset_in_page(gpa) ||
	    offset_in_page(ea) + access_size(i) > PAGE_SIZE)
		return false;
	/* The slots are those of the watch, or the watch is not the same next time. */
	if (site->gfn == gpa >> PAGE_SHIFT)
		return true;
	if (is_memory(vcpu, gpa >> PAGE_SHIFT))
		return false;
	site->gfn = gpa >> PAGE_SHIFT;
	return true;
}

static u64 stored_value(struct vcpu *vcpu, const struct insn *i)
{
	if (i->form == FORM_RM_IMM)
		return i->imm;
	return vcpu->regs[i->form == FORM_MEM_ACC ? REG_RAX : i->reg];
}

static void load_register(struct vcpu *vcpu, const struct insn *i, u64 val)
{
	unsigned long *reg = &vcpu->regs[i->form == FORM_ACC_MEM ? REG_RAX : i->reg];
	u32 shift = 64 - 8 * i->src_size;

	if (i->op == OP_MOVSX)
		val = (s64)(val << shift) >> shift;
	switch (i->op_size) {
	case 1:
		*(u8 *)reg = val;
		break;
	case 2:
		*(u16 *)reg = val;
		break;
	case 4:		/* clears the upper half */
		*reg = (u32)val;
		break;
	default:
		*reg = val;
	}
}

/* The instruction is through. */
static void commit(struct vcpu *vcpu, u64 rip, const struct insn *i)
{
	unsigned long rflags = rflags_read(vcpu);

	reg_write(vcpu, REG_RIP, rip + i->len);
	if (unlikely(rflags & X86_EFLAGS_RF))
		rflags_write(vcpu, rflags & ~X86_EFLAGS_RF);
	if (unlikely(vendor->get_shadow(vcpu)))
		vendor->set_shadow(vcpu, 0);
	if (unlikely(rflags & X86_EFLAGS_TF))
		debug_step_trap(vcpu);
}

static enum exit_action complete_store(struct vcpu *vcpu)
{
	return EXIT_RESUME;
}

static enum exit_action complete_load(struct vcpu *vcpu)
{
	struct emul_fast *fast = vcpu->emul->fast;
	u64 val = 0;

	/* Userspace may have put the vCPU elsewhere. */
	if (rip_read(vcpu) != fast->rip)
		return EXIT_RESUME;
	memcpy(&val, vcpu->run->mmio.data, access_size(&fast->insn));
	trace_kvm_mmio(TRACE_MMIO_READ, access_size(&fast->insn), vcpu->run->mmio.phys_addr, &val);
	load_register(vcpu, &fast->insn, val);
	commit(vcpu, fast->rip, &fast->insn);
	return EXIT_RESUME;
}

static enum exit_action exit_to_user(struct vcpu *vcpu, gpa_t gpa, u64 val, u32 len, bool write)
{
	struct minikvm_run *run = vcpu->run;

	run->exit_reason = MINIKVM_EXIT_MMIO;
	run->mmio.phys_addr = gpa;
	run->mmio.len = len;
	run->mmio.is_write = write;
	memcpy(run->mmio.data, &val, sizeof(val));
	vcpu->complete_userspace_io = write ? complete_store : complete_load;
	vcpu->stats.mmio_exits++;
	return EXIT_TO_USER;
}

/**
 * emul_fast - do the instruction at RIP if it is a remembered one
 * @vcpu: the vCPU, in RUN
 * @gpa: the guest-physical address that made the CPU exit
 * @action: out: what then
 *
 * Return: false: not done, take the long way.
 */
bool emul_fast(struct vcpu *vcpu, gpa_t gpa, enum exit_action *action)
{
	struct emul_fast *fast = vcpu->emul ? vcpu->emul->fast : NULL;
	struct emul_site *site;
	const struct insn *i;
	u64 val = 0;
	u32 len;

	/* The tracepoint wants the bytes, which are not kept. */
	if (!fast || trace_kvm_emulate_insn_enabled())
		return false;
	site = find_site(vcpu, fast);
	if (!site || !operand_is_at(vcpu, site, gpa))
		return false;
	i = &site->insn;
	len = access_size(i);
	vcpu->stats.insn_emulation++;
	*action = EXIT_RESUME;
	if (is_load(i)) {
		if (emul_device_access(vcpu, gpa, &val, len, false)) {
			fast->insn = *i;
			fast->rip = site->rip;
			*action = exit_to_user(vcpu, gpa, 0, len, false);
			return true;
		}
		load_register(vcpu, i, val);
		commit(vcpu, site->rip, i);
		return true;
	}
	val = exec_mask(stored_value(vcpu, i), len);
	if (emul_device_access(vcpu, gpa, &val, len, true))
		*action = exit_to_user(vcpu, gpa, val, len, true);
	commit(vcpu, site->rip, i);
	return true;
}
