/* SPDX-License-Identifier: GPL-2.0 */
/*
 * MSI-X: a device's table of interrupt messages.
 */
#ifndef MKVM_DEV_MSIX_H
#define MKVM_DEV_MSIX_H

#include <pthread.h>

#include "dev/pci.h"
#include "types.h"

#define MSIX_MAX_VECTORS	72
#define MSIX_ENTRY_SIZE		16
#define MSIX_NO_VECTOR		0xffff
#define MSIX_PBA_WORDS		((MSIX_MAX_VECTORS + 63) / 64)

/**
 * struct msix - the table and pending bits of one function
 * @send: deliver the message of @vector; called with @lock held
 * @changed: NULL, or told that a message, a mask or the switch may have changed; likewise
 * @opaque: their argument
 * @dev: the function
 * @cap: offset of the capability
 * @nr: vectors
 * @lock: everything below; taken inside device locks
 * @enabled: from the control register, as is @masked
 * @entry: the table: address low, address high, data, control (bit 0: masked)
 * @pending: one bit per vector that was raised while masked
 * @masked: all vectors are masked
 */
struct msix {
	void (*send)(void *opaque, unsigned int vector, u64 address, u32 data);
	void (*changed)(void *opaque);
	void *opaque;
	struct pci_dev *dev;
	unsigned int cap;
	unsigned int nr;
	pthread_mutex_t lock;
	bool enabled;
	bool masked;
	u32 entry[MSIX_MAX_VECTORS][4];
	u64 pending[MSIX_PBA_WORDS];
};

/**
 * msix_init() - add the capability to a function
 * @msix: @send, @changed and @opaque are set by the caller
 * @nr: vectors, at most MSIX_MAX_VECTORS
 * @bar: BAR that holds table and pending bits
 * @table: offset of the table in it
 * @pba: offset of the pending bits
 * @dev: the device
 *
 * Return: 0, or -1 if configuration space is full.
 */
int msix_init(struct msix *msix, struct pci_dev *dev, unsigned int nr, unsigned int bar, u32 table,
	      u32 pba);

/** msix_reset() - all vectors masked, none pending, MSI-X off */
void msix_reset(struct msix *msix);

/**
 * msix_config_written() - the guest may have changed the control register; configuration lock held
 * @msix: the table
 */
void msix_config_written(struct msix *msix);

/** msix_is_enabled() - if not, the function interrupts by its pin */
bool msix_is_enabled(struct msix *msix);

/**
 * msix_raise() - send the message of @vector, or remember it while masked; a bad vector does
 *	nothing
 * @msix: the table
 * @vector: index in the table
 */
void msix_raise(struct msix *msix, unsigned int vector);

/**
 * msix_message() - what @vector sends now; called with @lock held
 * @msix: the table
 * @vector: index in the table, or one that is not in it
 * @address: set
 * @data: set
 *
 * Return: false if it sends nothing: there is no such vector, it is masked, or MSI-X is off.
 */
bool msix_message(const struct msix *msix, unsigned int vector, u64 *address, u32 *data);

/** msix_table_read() - guest access to the table; not aligned or too far reads as 0 */
u64 msix_table_read(struct msix *msix, u64 offset, unsigned int size);

/** msix_table_write() - likewise; unmasking sends what is pending */
void msix_table_write(struct msix *msix, u64 offset, unsigned int size, u64 value);

/** msix_pba_read() - guest access to the pending bits */
u64 msix_pba_read(struct msix *msix, u64 offset, unsigned int size);

#endif
