// SPDX-License-Identifier: GPL-2.0
/*
 * The 8254 interval timer: three counters behind ports 0x40 to 0x43, the first
 * of which drives GSI 0, and on request port 0x61, whose bits gate and show
 * the third.
 *
 * A guest that counts ticks must get them all. A tick that comes while the one
 * before is not acknowledged yet is owed, and delivered at the next
 * acknowledgment: no tick is lost to a vCPU that was not running, and none is
 * merged with another in the interrupt controllers. Owed ticks are dropped
 * when the guest masks the line or programs the counter anew, and userspace can
 * do without them (REINJECT_CONTROL).
 *
 * The hrtimer's callback runs in softirq context: a tick may have to reach
 * every vCPU, too much for a hard interrupt whose rate the guest chooses.
 */
#define pr_fmt(fmt) "minikvm: " fmt

#include <linux/hrtimer.h>
#include <linux/math64.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/time64.h>

#include "../minikvm.h"
#include "../iobus.h"
#include "chips.h"
#include "irqchip.h"
#include "lapic.h"
#include "pit_count.h"

#define PIT_PORT		0x40
#define PIT_PORTS		4
#define PIT_CONTROL		3
#define SPEAKER_PORT		0x61

/* Shorter periods would let a guest keep a host CPU busy with ticks. */
#define PIT_MIN_PERIOD_NS	200000ull
/* More ticks than this are not caught up with. */
#define PIT_MAX_OWED		4096

/* Control word. */
#define PIT_CW_CHANNEL(cw)	((cw) >> 6)
#define PIT_CW_READ_BACK	3
#define PIT_CW_RW(cw)		(((cw) >> 4) & 3)
#define PIT_CW_MODE(cw)		(((cw) >> 1) & 7)
#define PIT_RB_NO_COUNT		0x20
#define PIT_RB_NO_STATUS	0x10

/* Port 0x61. */
#define SPEAKER_GATE		0x01
#define SPEAKER_DATA		0x02
#define SPEAKER_REFRESH		4	/* shift */
#define SPEAKER_OUT		5	/* shift */

/**
 * struct pit - the 8254 of a VM
 * @vm: whose
 * @ports: its place on the PIO bus
 * @speaker: that of port 0x61
 * @has_speaker: port 0x61 is served here
 * @lock: @channels, @flags and the programming of @timer
 * @channels: the counters; count is never 0
 * @flags: MINIKVM_PIT_FLAGS_*
 * @timer: when counter 0 ends; what follows it changes only while it is stopped
 * @start: CLOCK_MONOTONIC nanoseconds when counter 0 was loaded
 * @count: input clocks per tick, 0 if @period is not made of whole clocks
 * @period: nanoseconds per tick, rounded down
 * @periodic: ticks go on
 * @tick: number of the next tick, the first is 1
 * @tick_lock: the four below, and that a tick's two edges stay together;
 *	taken outside the chips' locks
 * @reinject: ticks can be owed
 * @owed: ticks that happened and were not acknowledged
 * @ready: nothing delivered waits for its acknowledgment
 * @blocked: the last delivery found the line masked everywhere
 */
struct pit {
	struct vm *vm;
	struct io_device ports, speaker;
	bool has_speaker;

	struct mutex lock;		/* see above */
	struct minikvm_pit_channel_state channels[3];
	u32 flags;

	struct hrtimer timer;
	u64 start;
	u32 count;
	u64 period;
	bool periodic;
	u64 tick;

	spinlock_t tick_lock;		/* see above */
	bool reinject;
	u32 owed;
	bool ready;
	bool blocked;
};

/* ---- ticks --------------------------------------------------------------------- */

/* @tick_lock held by all of these. */
static void pit_forget_owed(struct pit *pit)
{
	pit->owed = 0;
	pit->ready = true;
	pit->blocked = false;
}

/* Deliver one tick if one is owed and the one before was acknowledged. */
static void pit_deliver(struct pit *pit)
{
	struct vm *vm = pit->vm;
	struct vcpu *vcpu;
	int i, taken;

	lockdep_assert_held(&pit->tick_lock);
	if (!pit->owed || !pit->ready)
		return;
	pit->ready = false;
	taken = irq_set_level(vm, PIT_GSI, 1, IRQ_SOURCE_PIT);
	irq_set_level(vm, PIT_GSI, 0, IRQ_SOURCE_PIT);
	pit->blocked = taken < 0;

	vm_for_each_vcpu(i, vcpu, vm)
		lapic_nmi_wd(vcpu);
}

/* When a tick is due, in CLOCK_MONOTONIC nanoseconds; exact over any time. */
static u64 pit_due(const struct pit *pit, u64 tick)
{
	if (!pit->count)
		return pit->start + tick * pit->period;
	return pit->start + mul_u64_u64_div_u64(tick * pit->count, NSEC_PER_SEC, PIT_HZ);
}

/* Step to the first tick after @now; returns how many have happened since. */
static u64 pit_advance(struct pit *pit, u64 now)
{
	u64 happened = 1;

	pit->tick++;
	if (pit_due(pit, pit->tick) <= now && pit->period) {
		u64 late = div64_u64(now - pit_due(pit, pit->tick), pit->period) + 1;

		pit->tick += late;
		happened += late;
	}
	return happened;
}

static enum hrtimer_restart pit_timer_fn(struct hrtimer *timer)
{
	struct pit *pit = container_of(timer, struct pit, timer);
	u64 happened = 1;

	if (pit->periodic)
		happened = pit_advance(pit, ktime_to_ns(ktime_get()));

	spin_lock_bh(&pit->tick_lock);
	/* Masked for a whole period: the guest does not count these. */
	if (pit->blocked || !pit->reinject)
		pit_forget_owed(pit);
	if (!pit->reinject)
		happened = 1;
	pit->owed = min_t(u64, pit->owed + happened, PIT_MAX_OWED);
	pit_deliver(pit);
	spin_unlock_bh(&pit->tick_lock);

	if (!pit->periodic)
		return HRTIMER_NORESTART;
	hrtimer_set_expires(timer, ns_to_ktime(pit_due(pit, pit->tick)));
	return HRTIMER_RESTART;
}

/* The guest acknowledged a tick: deliver one that is owed. */
void pit_acked(struct vm *vm)
{
	struct pit *pit = READ_ONCE(vm->pit);

	if (!pit)
		return;
	spin_lock_bh(&pit->tick_lock);
	if (!pit->ready && pit->owed)
		pit->owed--;
	pit->ready = true;
	pit_deliver(pit);
	spin_unlock_bh(&pit->tick_lock);
}

/* The guest unmasked the line. */
void pit_unmasked(struct vm *vm)
{
	struct pit *pit = READ_ONCE(vm->pit);

	if (!pit)
		return;
	spin_lock_bh(&pit->tick_lock);
	if (pit->blocked) {
		/* Masked for less than a period: what was held back comes now. */
		pit->blocked = false;
		pit->ready = true;
		pit_deliver(pit);
	} else {
		/* An acknowledgment that did not come by now never will. */
		pit_forget_owed(pit);
	}
	spin_unlock_bh(&pit->tick_lock);
}

/* ---- counters, @lock held ---------------------------------------------------------- */

static u64 pit_clocks(const struct minikvm_pit_channel_state *c)
{
	s64 ns = ktime_to_ns(ktime_get()) - c->count_load_time;

	return ns <= 0 ? 0 : mul_u64_u64_div_u64(ns, PIT_HZ, NSEC_PER_SEC);
}

static void pit_stop(struct pit *pit)
{
	hrtimer_cancel(&pit->timer);
	spin_lock_bh(&pit->tick_lock);
	pit_forget_owed(pit);
	spin_unlock_bh(&pit->tick_lock);
}

/* Counter 0 was loaded: time its ticks. */
static void pit_arm(struct pit *pit)
{
	struct minikvm_pit_channel_state *c = &pit->channels[0];

	pit_stop(pit);
	/* A line to nowhere: counters count, and nobody ticks. */
	if (!irqchip_kernel(pit->vm))
		return;
	/* Mode 5 waits for a gate that counter 0 does not have. */
	if (c->mode > 4 || (pit->flags & MINIKVM_PIT_FLAGS_HPET_LEGACY))
		return;

	pit->start = c->count_load_time;
	pit->count = c->count;
	pit->period = mul_u64_u64_div_u64(c->count, NSEC_PER_SEC, PIT_HZ);
	pit->periodic = pit_mode_periodic(c->mode);
	pit->tick = 1;
	if (pit->periodic && pit->period < PIT_MIN_PERIOD_NS) {
		pr_info_ratelimited("8254 period of %llu ns made %llu ns\n", pit->period,
				    PIT_MIN_PERIOD_NS);
		pit->period = PIT_MIN_PERIOD_NS;
		pit->count = 0;
	}
	hrtimer_start(&pit->timer, ns_to_ktime(pit_due(pit, 1)), HRTIMER_MODE_ABS_SOFT);
}

static void pit_load(struct pit *pit, int channel, u32 count)
{
	struct minikvm_pit_channel_state *c = &pit->channels[channel];

	c->count = count ?: PIT_MAX_COUNT;
	c->count_load_time = ktime_to_ns(ktime_get());
	if (channel == 0)
		pit_arm(pit);
}

static void pit_latch_count(struct minikvm_pit_channel_state *c)
{
	/* A latch that was not read yet stays. */
	if (c->count_latched)
		return;
	c->latched_count = pit_counter(c->mode, c->count, pit_clocks(c));
	c->count_latched = c->rw_mode;
}

static void pit_latch_status(struct minikvm_pit_channel_state *c)
{
	if (c->status_latched)
		return;
	c->status = pit_output(c->mode, c->count, pit_clocks(c)) << 7 | c->rw_mode << 4 |
		    (c->mode & 7) << 1 | c->bcd;
	c->status_latched = 1;
}

static void pit_write_control(struct pit *pit, u8 cw)
{
	struct minikvm_pit_channel_state *c;
	int i, channel = PIT_CW_CHANNEL(cw);

	if (channel == PIT_CW_READ_BACK) {
		for (i = 0; i < 3; i++) {
			if (!(cw & (2 << i)))
				continue;
			if (!(cw & PIT_RB_NO_COUNT))
				pit_latch_count(&pit->channels[i]);
			if (!(cw & PIT_RB_NO_STATUS))
				pit_latch_status(&pit->channels[i]);
		}
		return;
	}

	c = &pit->channels[array_index_nospec(channel, 3)];
	if (!PIT_CW_RW(cw)) {
		pit_latch_count(c);
		return;
	}
	c->rw_mode = PIT_CW_RW(cw);
	c->read_state = c->rw_mode;
	c->write_state = c->rw_mode;
	c->count_latched = 0;
	c->status_latched = 0;
	c->mode = PIT_CW_MODE(cw);
	if (c->mode > 5)
		c->mode -= 4;
	c->bcd = cw & 1;
	/* It does not count before it is loaded. */
	if (channel == 0)
		pit_stop(pit);
}

static void pit_write_count(struct pit *pit, int channel, u8 val)
{
	struct minikvm_pit_channel_state *c = &pit->channels[channel];

	switch (c->write_state) {
	case PIT_RW_HIGH:
		pit_load(pit, channel, val << 8);
		break;
	case PIT_RW_BOTH:
		c->write_latch = val;
		c->write_state = PIT_RW_BOTH_HIGH;
		break;
	case PIT_RW_BOTH_HIGH:
		pit_load(pit, channel, c->write_latch | val << 8);
		c->write_state = PIT_RW_BOTH;
		break;
	default:
		pit_load(pit, channel, val);
	}
}

static u8 pit_read_latched(struct minikvm_pit_channel_state *c)
{
	switch (c->count_latched) {
	case PIT_RW_HIGH:
		c->count_latched = 0;
		return c->latched_count >> 8;
	case PIT_RW_BOTH:
		c->count_latched = PIT_RW_HIGH;
		return c->latched_count;
	default:
		c->count_latched = 0;
		return c->latched_count;
	}
}

static u8 pit_read_count(struct minikvm_pit_channel_state *c)
{
	u16 counter;

	if (c->status_latched) {
		c->status_latched = 0;
		return c->status;
	}
	if (c->count_latched)
		return pit_read_latched(c);

	counter = pit_counter(c->mode, c->count, pit_clocks(c));
	switch (c->read_state) {
	case PIT_RW_HIGH:
		return counter >> 8;
	case PIT_RW_BOTH:
		c->read_state = PIT_RW_BOTH_HIGH;
		return counter;
	case PIT_RW_BOTH_HIGH:
		c->read_state = PIT_RW_BOTH;
		return counter >> 8;
	default:
		return counter;
	}
}

/* ---- ports --------------------------------------------------------------------------- */

static int pit_ports_write(struct vcpu *vcpu, struct io_device *dev, gpa_t addr, int len,
			   const void *data)
{
	struct pit *pit = container_of(dev, struct pit, ports);
	int port = addr & (PIT_PORTS - 1);
	u8 val = *(const u8 *)data;

	mutex_lock(&pit->lock);
	if (port == PIT_CONTROL)
		pit_write_control(pit, val);
	else
		pit_write_count(pit, array_index_nospec(port, 3), val);
	mutex_unlock(&pit->lock);
	return 0;
}

static int pit_ports_read(struct vcpu *vcpu, struct io_device *dev, gpa_t addr, int len,
			  void *data)
{
	struct pit *pit = container_of(dev, struct pit, ports);
	int port = addr & (PIT_PORTS - 1);

	memset(data, 0, len);
	/* The control word cannot be read. */
	if (port == PIT_CONTROL)
		return 0;
	mutex_lock(&pit->lock);
	*(u8 *)data = pit_read_count(&pit->channels[array_index_nospec(port, 3)]);
	mutex_unlock(&pit->lock);
	return 0;
}

static int speaker_write(struct vcpu *vcpu, struct io_device *dev, gpa_t addr, int len,
			 const void *data)
{
	struct pit *pit = container_of(dev, struct pit, speaker);
	struct minikvm_pit_channel_state *c = &pit->channels[2];
	u8 val = *(const u8 *)data;

	mutex_lock(&pit->lock);
	if (val & SPEAKER_DATA)
		pit->flags |= MINIKVM_PIT_FLAGS_SPEAKER_DATA_ON;
	else
		pit->flags &= ~MINIKVM_PIT_FLAGS_SPEAKER_DATA_ON;

	/* A rising gate starts these modes over. */
	if ((val & SPEAKER_GATE) && !c->gate &&
	    (c->mode == 1 || c->mode == 5 || pit_mode_periodic(c->mode)))
		c->count_load_time = ktime_to_ns(ktime_get());
	c->gate = val & SPEAKER_GATE;
	mutex_unlock(&pit->lock);
	return 0;
}

static int speaker_read(struct vcpu *vcpu, struct io_device *dev, gpa_t addr, int len,
			void *data)
{
	struct pit *pit = container_of(dev, struct pit, speaker);
	struct minikvm_pit_channel_state *c = &pit->channels[2];
	/* Memory refresh toggles every 15 us or so; 2^14 ns is near enough. */
	u8 refresh = (ktime_to_ns(ktime_get()) >> 14) & 1;
	u8 val;

	memset(data, 0, len);
	mutex_lock(&pit->lock);
	val = (c->gate & 1) | refresh << SPEAKER_REFRESH |
	      pit_output(c->mode, c->count, pit_clocks(c)) << SPEAKER_OUT;
	if (pit->flags & MINIKVM_PIT_FLAGS_SPEAKER_DATA_ON)
		val |= SPEAKER_DATA;
	mutex_unlock(&pit->lock);
	*(u8 *)data = val;
	return 0;
}

static const struct io_device_ops pit_ports_ops = {
	.read = pit_ports_read,
	.write = pit_ports_write,
};

static const struct io_device_ops speaker_ops = {
	.read = speaker_read,
	.write = speaker_write,
};

/* ---- life and state --------------------------------------------------------------------- */

static void pit_power_up(struct pit *pit)
{
	int i;

	for (i = 0; i < 3; i++) {
		pit->channels[i].mode = PIT_MODE_UNSET;
		/* Only the third counter's gate is not tied high. */
		pit->channels[i].gate = i != 2;
		pit->channels[i].count = PIT_MAX_COUNT;
		pit->channels[i].count_load_time = ktime_to_ns(ktime_get());
	}
	pit->ready = true;
	pit->reinject = true;
}

static int pit_attach(struct vm *vm, struct pit *pit)
{
	int err;

	err = iobus_attach(vm, IO_BUS_PIO, PIT_PORT, PIT_PORTS, &pit->ports);
	if (err || !pit->has_speaker)
		return err;
	err = iobus_attach(vm, IO_BUS_PIO, SPEAKER_PORT, 1, &pit->speaker);
	if (err)
		iobus_detach(vm, IO_BUS_PIO, &pit->ports);
	return err;
}

/**
 * pit_create - CREATE_PIT2
 * @vm: the VM
 * @flags: MINIKVM_PIT_SPEAKER_DUMMY: serve port 0x61 too; others are ignored
 *
 * Without chips in the kernel its counters can be read, and do not interrupt.
 *
 * Context: vm->lock held.
 * Return: 0; -EEXIST; -ENOMEM; -ENOSPC.
 */
int pit_create(struct vm *vm, u32 flags)
{
	struct pit *pit;
	int err;

	if (vm->pit)
		return -EEXIST;
	pit = kzalloc(sizeof(*pit), GFP_KERNEL_ACCOUNT);
	if (!pit)
		return -ENOMEM;
	pit->vm = vm;
	pit->ports.ops = &pit_ports_ops;
	pit->speaker.ops = &speaker_ops;
	pit->has_speaker = flags & MINIKVM_PIT_SPEAKER_DUMMY;
	mutex_init(&pit->lock);
	spin_lock_init(&pit->tick_lock);
	hrtimer_init(&pit->timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_SOFT);
	pit->timer.function = pit_timer_fn;
	pit_power_up(pit);

	mutex_lock(&vm->slots_lock);
	err = pit_attach(vm, pit);
	mutex_unlock(&vm->slots_lock);
	if (err) {
		hrtimer_cancel(&pit->timer);
		kfree(pit);
		return err;
	}
	/* From here on acknowledgments of GSI 0 are wanted. */
	smp_store_release(&vm->pit, pit);
	ioapic_rescan(vm);
	return 0;
}

/**
 * pit_destroy - stop and free the PIT
 * @vm: a VM that runs no vCPU any more, but still has them; safe without a PIT
 */
void pit_destroy(struct vm *vm)
{
	struct pit *pit = vm->pit;

	if (!pit)
		return;
	mutex_lock(&vm->slots_lock);
	iobus_detach(vm, IO_BUS_PIO, &pit->ports);
	iobus_detach(vm, IO_BUS_PIO, &pit->speaker);
	mutex_unlock(&vm->slots_lock);
	hrtimer_cancel(&pit->timer);
	vm->pit = NULL;
	kfree(pit);
}

/**
 * pit_set_reinject - REINJECT_CONTROL
 * @vm: the VM, its lock held
 * @reinject: whether a tick that finds the one before unacknowledged is owed
 *
 * Return: 0; -ENXIO without a PIT.
 */
int pit_set_reinject(struct vm *vm, bool reinject)
{
	struct pit *pit = vm->pit;

	if (!pit)
		return -ENXIO;
	spin_lock_bh(&pit->tick_lock);
	if (reinject != pit->reinject)
		pit_forget_owed(pit);
	pit->reinject = reinject;
	spin_unlock_bh(&pit->tick_lock);
	return 0;
}

/**
 * pit_get_state - GET_PIT2
 * @vm: the VM, its lock held
 * @ps: filled in
 *
 * Return: 0; -ENXIO without a PIT.
 */
int pit_get_state(struct vm *vm, struct minikvm_pit_state2 *ps)
{
	struct pit *pit = vm->pit;

	if (!pit)
		return -ENXIO;
	memset(ps, 0, sizeof(*ps));
	mutex_lock(&pit->lock);
	memcpy(ps->channels, pit->channels, sizeof(ps->channels));
	ps->flags = pit->flags;
	mutex_unlock(&pit->lock);
	return 0;
}

/**
 * pit_set_state - SET_PIT2
 * @vm: the VM, its lock held
 * @ps: state; the counters start over from their reload values
 *
 * Return: 0; -ENXIO without a PIT.
 */
int pit_set_state(struct vm *vm, const struct minikvm_pit_state2 *ps)
{
	struct pit *pit = vm->pit;
	int i;

	if (!pit)
		return -ENXIO;
	mutex_lock(&pit->lock);
	pit_stop(pit);
	memcpy(pit->channels, ps->channels, sizeof(pit->channels));
	pit->flags = ps->flags;
	for (i = 0; i < 3; i++)
		pit_load(pit, i, min(ps->channels[i].count, PIT_MAX_COUNT));
	mutex_unlock(&pit->lock);
	return 0;
}
