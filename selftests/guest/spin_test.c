// SPDX-License-Identifier: GPL-2.0
/*
 * Processors that wait for each other in loops of PAUSE: a token goes round and a ticket lock is fought
 * over, with more processors than most lab hosts have.
 */
#include "gvm.h"

#define NCPUS	4
#define ROUNDS	50
#define TURNS	100

static volatile uint64_t turn, up, done, ticket, serving, counter, order_ok = 1;

static inline void spin_pause(void)
{
	asm volatile("pause" : : : "memory");
}

/* Everybody in turn, ROUNDS times; a vCPU that spins must not keep the next one from its CPU. */
static void token(unsigned int me)
{
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		while (turn % NCPUS != me)
			spin_pause();
		if (turn / NCPUS != i)
			order_ok = 0;
		turn++;
	}
}

static void lock_fight(void)
{
	unsigned int i;

	for (i = 0; i < TURNS; i++) {
		uint64_t mine = __atomic_fetch_add(&ticket, 1, __ATOMIC_SEQ_CST);

		while (serving != mine)
			spin_pause();
		counter++;
		__atomic_store_n(&serving, mine + 1, __ATOMIC_RELEASE);
	}
}

static void everybody(unsigned int me)
{
	/* A spinner with interrupts off would never be interrupted on an emulated CPU. */
	sti();
	__atomic_add_fetch(&up, 1, __ATOMIC_SEQ_CST);
	while (up < NCPUS)
		spin_pause();
	token(me);
	lock_fight();
	__atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
}

static void ap_main(unsigned int cpu)
{
	everybody(cpu);
	cli();
}

static void guest_main(void)
{
	unsigned int i;
	bool ok = true;

	apic_enable();
	for (i = 1; i < NCPUS && ok; i++)
		ok = guest_start_ap(i, ap_main);
	guest_check(ok, "all processors start");
	everybody(0);
	while (done < NCPUS)
		spin_pause();
	cli();
	guest_check(order_ok && turn == NCPUS * ROUNDS, "a token goes round, each waiting for the one before");
	guest_eq(counter, NCPUS * TURNS, "a ticket lock: nobody is lost in it");
	guest_done();
}

int main(void)
{
	struct gvm *vm;

	gvm_start();
	vm = gvm_create(NCPUS, GVM_IRQCHIP);
	gvm_enter64(vm, 0, guest_main);
	gvm_run_threads(vm, NCPUS);
	gvm_destroy(vm);
	return gvm_finish();
}
