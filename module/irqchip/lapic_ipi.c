// SPDX-License-Identifier: GPL-2.0
/*
 * Messages between local APICs, and from the chips to them: who is meant, and
 * what each delivery mode does on arrival. INIT and SIPI included.
 *
 * A map from APIC id to vCPU, rebuilt when an id or a mode changes and read
 * under RCU, finds the target of an ordinary message without asking every
 * vCPU. What the map cannot express (broadcasts, modes mixed within a VM, two
 * APICs given the same id) asks every vCPU.
 *
 * Source: Intel SDM vol. 3A (December 2023), "Issuing Interprocessor
 * Interrupts", "Determining IPI Destination", "Interrupt Command Register
 * (ICR)"; "Multiple-Processor (MP) Initialization".
 */
#define pr_fmt(fmt) "minikvm: " fmt

#include <linux/bitmap.h>
#include <linux/nospec.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "../minikvm.h"
#include "../mmu/mmu.h"
#include "../trace_irq.h"
#include "../x86/x86.h"
#include "lapic_impl.h"

/* What a logical destination means; more than one in a VM: no map. */
#define APIC_MAP_X2APIC		BIT(0)
#define APIC_MAP_FLAT		BIT(1)
#define APIC_MAP_CLUSTER	BIT(2)
#define APIC_MAP_NONE		BIT(3)

/**
 * struct apic_map - who answers to which id
 * @rcu: for its freeing
 * @nr_vcpus: how many vCPUs the map knows
 * @logical: APIC_MAP_*: how the enabled APICs read a logical destination
 * @shared_ids: two APICs have the same physical id
 * @flat: by bit of a flat logical destination
 * @cluster: by cluster and bit of a clustered one
 * @max_id: last index of @phys
 * @phys: by physical id
 */
struct apic_map {
	struct rcu_head rcu;
	int nr_vcpus;
	u8 logical;
	bool shared_ids;
	struct lapic *flat[8];
	struct lapic *cluster[16][4];
	u32 max_id;
	struct lapic *phys[];
};

/* ---- the map ------------------------------------------------------------------ */

static u32 lapic_physical_id(const struct lapic *apic)
{
	u32 id = apic->vcpu->id;

	/*
	 * A vCPU whose id does not fit an xAPIC's is reachable by the whole id
	 * in either mode, or it could never be started.
	 */
	if (apic_x2apic(apic) || id > 0xff)
		return id;
	return apic_reg(apic->regs, LAPIC_ID) >> 24;
}

static void apic_map_add_logical(struct apic_map *map, struct lapic *apic)
{
	u32 ldr = apic_reg(apic->regs, LAPIC_LDR);
	u32 id = ldr >> 24;
	int bit;

	if (apic_x2apic(apic)) {
		/* The physical map serves: 16 consecutive ids are a cluster. */
		map->logical |= APIC_MAP_X2APIC;
		return;
	}
	if (!id)
		return;
	switch (apic_reg(apic->regs, LAPIC_DFR)) {
	case LAPIC_DFR_FLAT:
		map->logical |= APIC_MAP_FLAT;
		bit = __ffs(id);
		if (map->flat[bit] || hweight32(id) != 1)
			map->logical |= APIC_MAP_NONE;
		map->flat[bit] = apic;
		break;
	case LAPIC_DFR_CLUSTER:
		map->logical |= APIC_MAP_CLUSTER;
		if (!(id & 0xf))
			break;
		bit = __ffs(id & 0xf);
		if (map->cluster[id >> 4][bit] || hweight32(id & 0xf) != 1)
			map->logical |= APIC_MAP_NONE;
		map->cluster[id >> 4][bit] = apic;
		break;
	default:
		map->logical |= APIC_MAP_NONE;
	}
}

static void apic_map_add(struct apic_map *map, struct lapic *apic)
{
	u32 id = lapic_physical_id(apic);

	if (id > map->max_id)
		return;
	if (map->phys[id])
		map->shared_ids = true;
	else
		map->phys[id] = apic;
	if (apic_sw_enabled(apic))
		apic_map_add_logical(map, apic);
}

/**
 * lapic_map_update - ids or modes of APICs changed: rebuild the map
 * @vm: the VM
 *
 * Without memory for a map, every vCPU is asked instead.
 *
 * Context: process; may sleep.
 */
void lapic_map_update(struct vm *vm)
{
	struct apic_map *map, *old;
	struct vcpu *vcpu;
	bool all_xapic = true;
	u32 max_id = 0xff;
	int i, nr;

	mutex_lock(&vm->apic_map_lock);
	nr = vm_nr_vcpus(vm);
	for (i = 0; i < nr; i++) {
		vcpu = vm->vcpus[i];
		max_id = max(max_id, vcpu->id);
		all_xapic &= lapic_at_default(vcpu);
	}

	map = kvzalloc(struct_size(map, phys, max_id + 1), GFP_KERNEL_ACCOUNT);
	if (map) {
		map->max_id = max_id;
		map->nr_vcpus = nr;
		for (i = 0; i < nr; i++) {
			vcpu = vm->vcpus[i];
			if (vcpu->lapic && apic_hw_enabled(vcpu->lapic))
				apic_map_add(map, vcpu->lapic);
		}
	}
	old = rcu_replace_pointer(vm->apic_map, map, lockdep_is_held(&vm->apic_map_lock));
	mmu_apic_page_show(vm, all_xapic);
	mutex_unlock(&vm->apic_map_lock);
	if (old)
		kvfree_rcu(old, rcu);
}

/**
 * lapic_map_free - drop the map
 * @vm: a VM whose vCPUs and chips deliver nothing any more
 */
void lapic_map_free(struct vm *vm)
{
	kvfree(rcu_dereference_protected(vm->apic_map, true));
	RCU_INIT_POINTER(vm->apic_map, NULL);
}

/* ---- arrival -------------------------------------------------------------------- */

static int lapic_take_vector(struct lapic *apic, u8 vector, bool level)
{
	unsigned long *tmr = apic_vector_word(apic->regs, LAPIC_TMR, vector);
	struct vcpu *vcpu = apic->vcpu;

	if (!apic_sw_enabled(apic) || !apic_hw_enabled(apic))
		return 0;
	if (vector < 16) {
		lapic_error(apic, ESR_RECEIVE_VECTOR);
		return 0;
	}
	/* The trigger mode is known before the request that it belongs to. */
	if (apic_vector_test(apic->regs, LAPIC_TMR, vector) != level) {
		if (level)
			set_bit(vector & 31, tmr);
		else
			clear_bit(vector & 31, tmr);
	}

	/* Who set the bit before us announced it, or is about to. */
	if (apic->posts) {
		if (!lapic_post(apic, vector))
			return 1;
		trace_kvm_apicv_accept_irq(vcpu->id, IRQ_MODE_FIXED << 8, level, vector);
	} else {
		if (test_and_set_bit(vector & 31,
				     apic_vector_word(apic->regs, LAPIC_IRR, vector)))
			return 1;
		WRITE_ONCE(apic->irr_pending, true);
	}
	vcpu_request(vcpu, REQ_EVENT);
	return 1;
}

/* A message has arrived: 1 taken, 0 not. Any context. */
int lapic_take(struct lapic *apic, u8 mode, u8 vector, bool assert, bool level)
{
	struct vcpu *vcpu = apic->vcpu;

	trace_kvm_apic_accept_irq(vcpu->id, mode << 8, level, vector);
	switch (mode) {
	case IRQ_MODE_FIXED:
	case IRQ_MODE_LOWEST:
		if (level && !assert)
			return 0;
		return lapic_take_vector(apic, vector, level);
	case IRQ_MODE_NMI:
		inject_nmi(vcpu);
		return 1;
	case IRQ_MODE_INIT:
		/* INIT level de-assert only synchronised arbitration ids, once. */
		if (level && !assert)
			return 0;
		/* INIT forgets a SIPI that came before it. */
		xchg(&vcpu->apic_events, BIT(APIC_EVENT_INIT));
		vcpu_request(vcpu, REQ_EVENT);
		return 1;
	case IRQ_MODE_STARTUP:
		WRITE_ONCE(vcpu->sipi_vector, vector);
		smp_wmb();	/* the vector, then the event: lapic_accept_events() */
		set_bit(APIC_EVENT_SIPI, &vcpu->apic_events);
		vcpu_request(vcpu, REQ_EVENT);
		return 1;
	default:
		/*
		 * SMI: there is no system-management mode. ExtINT: only LINT0
		 * is wired to the 8259, and that path does not come by here.
		 */
		return 0;
	}
}

static int lapic_take_msg(struct lapic *apic, const struct lapic_msg *msg)
{
	return lapic_take(apic, msg->mode, msg->vector, msg->level, msg->trig_level);
}

/* ---- who is meant ----------------------------------------------------------------- */

/*
 * Is every APIC in @target's mode meant? 0xff says it in xAPIC mode, 32 bits of
 * ones in x2APIC mode, where 0xff is an id like any other. But the chips' 8-bit
 * destinations could then not say it at all, so by default 0xff from a chip
 * means all in either mode, as on KVM.
 */
static bool lapic_broadcast(const struct lapic *target, const struct vcpu *src, u32 dest)
{
	if (!apic_x2apic(target))
		return dest == APIC_BROADCAST;
	return dest == X2APIC_BROADCAST ||
	       (dest == APIC_BROADCAST && !src && !target->vcpu->vm->x2apic_no_quirk);
}

/* Does any APIC take it for a broadcast? */
static bool lapic_may_broadcast(const struct lapic_msg *msg)
{
	return msg->dest == APIC_BROADCAST || msg->dest == X2APIC_BROADCAST;
}

static bool lapic_is_meant(struct lapic *apic, const struct vcpu *src,
			   const struct lapic_msg *msg)
{
	switch (msg->shorthand) {
	case APIC_SHORT_SELF:
		return src == apic->vcpu;
	case APIC_SHORT_ALL:
		return true;
	case APIC_SHORT_OTHERS:
		return src != apic->vcpu;
	}
	if (lapic_broadcast(apic, src, msg->dest))
		return true;
	if (!msg->logical)
		return msg->dest == lapic_physical_id(apic);
	if (apic_x2apic(apic))
		return x2apic_logical_match(apic_reg(apic->regs, LAPIC_LDR), msg->dest);
	return xapic_logical_match(apic_reg(apic->regs, LAPIC_LDR),
				   apic_reg(apic->regs, LAPIC_DFR), msg->dest);
}

/*
 * Lowest priority: one of the candidates. Like KVM, choose by the vector and
 * not by the priorities: an interrupt then stays on the CPU whose caches it
 * warmed.
 */
static int lapic_choose(const unsigned long *candidates, int bits, u8 vector)
{
	int count = bitmap_weight(candidates, bits);
	int skip, bit;

	if (!count)
		return -1;
	bit = find_first_bit(candidates, bits);
	for (skip = vector % count; skip; skip--)
		bit = find_next_bit(candidates, bits, bit + 1);
	return bit;
}

/**
 * lapic_msg_is_for - would a message of a chip reach an APIC
 * @vcpu: whose
 * @msg: the message; lowest priority: whether it is a candidate
 */
bool lapic_msg_is_for(struct vcpu *vcpu, const struct lapic_msg *msg)
{
	return vcpu->lapic && lapic_is_meant(vcpu->lapic, NULL, msg);
}

static int lapic_deliver_slow(struct vm *vm, struct vcpu *src, const struct lapic_msg *msg)
{
	DECLARE_BITMAP(candidates, MK_MAX_VCPUS);
	bool lowest = msg->mode == IRQ_MODE_LOWEST;
	struct vcpu *vcpu;
	int i, taken = -1;

	/* Lowest priority among all in physical mode is not defined: all get it. */
	if (lowest && !msg->logical && lapic_may_broadcast(msg))
		lowest = false;
	if (lowest)
		bitmap_zero(candidates, MK_MAX_VCPUS);

	vm_for_each_vcpu(i, vcpu, vm) {
		struct lapic *apic = vcpu->lapic;

		if (!apic || !apic_hw_enabled(apic) || !lapic_is_meant(apic, src, msg))
			continue;
		if (!lowest)
			taken = max(taken, 0) + lapic_take_msg(apic, msg);
		else if (apic_sw_enabled(apic))
			__set_bit(i, candidates);
	}
	if (!lowest)
		return taken;
	i = lapic_choose(candidates, MK_MAX_VCPUS, msg->vector);
	return i < 0 ? -1 : lapic_take_msg(vm->vcpus[i]->lapic, msg);
}

/* The up to 16 APICs of one logical group; false: the map cannot tell. */
static bool apic_map_logical(struct apic_map *map, u32 dest, struct lapic ***group,
			     unsigned long *mask)
{
	u32 base;

	*mask = 0;
	switch (map->logical) {
	case APIC_MAP_X2APIC:
		base = dest >> 16 << 4;
		if (base > map->max_id)
			return true;
		base = array_index_nospec(base, map->max_id + 1);
		*group = &map->phys[base];
		*mask = dest & 0xffff & GENMASK(min(map->max_id - base, 15u), 0);
		return true;
	case APIC_MAP_FLAT:
		*group = map->flat;
		*mask = dest & 0xff;
		return true;
	case APIC_MAP_CLUSTER:
		if (dest > 0xff)
			return true;
		*group = map->cluster[dest >> 4];
		*mask = dest & 0xf;
		return true;
	default:
		return false;
	}
}

static int lapic_deliver_group(struct lapic **group, unsigned long mask,
			       const struct lapic_msg *msg)
{
	int bit, taken = 0;

	for_each_set_bit(bit, &mask, 16)
		if (!group[bit] || !apic_sw_enabled(group[bit]))
			__clear_bit(bit, &mask);
	if (msg->mode == IRQ_MODE_LOWEST) {
		bit = lapic_choose(&mask, 16, msg->vector);
		return bit < 0 ? 0 : lapic_take_msg(group[bit], msg);
	}
	for_each_set_bit(bit, &mask, 16)
		taken += lapic_take_msg(group[bit], msg);
	return taken;
}

/* RCU read lock held. Returns false when every vCPU has to be asked. */
static bool lapic_deliver_fast(struct vm *vm, struct vcpu *src, const struct lapic_msg *msg,
			       int *taken)
{
	struct apic_map *map = rcu_dereference(vm->apic_map);
	struct lapic **group;
	struct lapic *apic;
	unsigned long mask;

	if (!map || map->nr_vcpus != vm_nr_vcpus(vm) || lapic_may_broadcast(msg))
		return false;

	if (msg->logical) {
		/* NMI and INIT also reach APICs disabled by software: not in the map. */
		if (msg->mode > IRQ_MODE_LOWEST)
			return false;
		if (!apic_map_logical(map, msg->dest, &group, &mask))
			return false;
		*taken = mask ? lapic_deliver_group(group, mask, msg) : 0;
		return true;
	}

	if (map->shared_ids)
		return false;
	*taken = 0;
	if (msg->dest <= map->max_id) {
		apic = map->phys[array_index_nospec(msg->dest, map->max_id + 1)];
		if (apic)
			*taken = lapic_take_msg(apic, msg);
	}
	return true;
}

/**
 * lapic_deliver - send a message to the local APICs
 * @vm: the VM
 * @src: the vCPU whose ICR was written; NULL for a chip or an MSI
 * @msg: what to send and to whom
 *
 * Context: any, hard interrupts included.
 * Return: how many APICs took it; 0 if those meant refused it; <0 if none was meant.
 */
int lapic_deliver(struct vm *vm, struct vcpu *src, const struct lapic_msg *msg)
{
	int taken;

	if (msg->shorthand == APIC_SHORT_SELF)
		return src ? lapic_take_msg(src->lapic, msg) : -1;

	if (msg->shorthand == APIC_SHORT_NONE) {
		bool done;

		rcu_read_lock();
		done = lapic_deliver_fast(vm, src, msg, &taken);
		rcu_read_unlock();
		if (done)
			return taken;
	}
	return lapic_deliver_slow(vm, src, msg);
}

/* The ICR was written: @icr its low half, @dest the destination, 8 or 32 bits. */
void lapic_send_ipi(struct lapic *apic, u32 icr, u32 dest)
{
	struct lapic_msg msg = {
		.dest = dest,
		.vector = icr & ICR_VECTOR,
		.mode = ICR_MODE(icr),
		.shorthand = ICR_SHORTHAND(icr),
		.logical = icr & ICR_LOGICAL,
		.level = icr & ICR_ASSERT,
		.trig_level = icr & ICR_LEVEL,
	};

	trace_kvm_apic_ipi(icr, dest);
	if (msg.mode <= IRQ_MODE_LOWEST && msg.vector < 16) {
		lapic_error(apic, ESR_SEND_VECTOR);
		return;
	}
	lapic_deliver(apic->vcpu->vm, apic->vcpu, &msg);
}

/* ---- INIT and SIPI --------------------------------------------------------------------- */

/**
 * lapic_has_events - has an INIT or a SIPI arrived
 * @vcpu: the vCPU
 */
bool lapic_has_events(struct vcpu *vcpu)
{
	return vcpu->lapic && READ_ONCE(vcpu->apic_events);
}

/* Real mode at vector:0000. */
static void lapic_start_at(struct vcpu *vcpu, u8 vector)
{
	struct minikvm_segment cs;

	vendor->get_segment(vcpu, &cs, SEG_CS);
	cs.selector = vector << 8;
	cs.base = vector << 12;
	vendor->set_segment(vcpu, &cs, SEG_CS);
	reg_write(vcpu, REG_RIP, 0);
}

/**
 * lapic_accept_events - do what an INIT or a SIPI asks for
 * @vcpu: the vCPU, loaded, by its own thread
 *
 * INIT resets; the boot processor then runs from the reset vector, the others
 * wait for a SIPI. A SIPI that no INIT preceded is dropped.
 *
 * Return: 0.
 */
int lapic_accept_events(struct vcpu *vcpu)
{
	if (!lapic_has_events(vcpu))
		return 0;

	if (test_and_clear_bit(APIC_EVENT_INIT, &vcpu->apic_events)) {
		vcpu_reset(vcpu, true);
		vcpu->mp_state = vcpu->id == vcpu->vm->bsp_id ? MINIKVM_MP_STATE_RUNNABLE :
								MINIKVM_MP_STATE_INIT_RECEIVED;
	}
	if (test_and_clear_bit(APIC_EVENT_SIPI, &vcpu->apic_events) &&
	    vcpu->mp_state == MINIKVM_MP_STATE_INIT_RECEIVED) {
		smp_rmb();	/* the event, then its vector: lapic_take() */
		lapic_start_at(vcpu, READ_ONCE(vcpu->sipi_vector));
		vcpu->mp_state = MINIKVM_MP_STATE_RUNNABLE;
	}
	return 0;
}
