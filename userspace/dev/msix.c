// SPDX-License-Identifier: GPL-2.0
/*
 * MSI-X table, masking and pending bits.
 *
 * Source: PCI Local Bus Specification 3.0, "MSI-X Capability and Table Structures".
 */
#include <string.h>

#include "dev/msix.h"
#include "dev/pci_regs.h"
#include "types.h"

#define CAP_SIZE	12
#define VECTOR_MASKED	1u

int msix_init(struct msix *msix, struct pci_dev *dev, unsigned int nr, unsigned int bar, u32 table,
	      u32 pba)
{
	u8 body[CAP_SIZE] = { 0 };
	u16 control = (u16)(nr - 1);
	u32 table_reg = table | bar, pba_reg = pba | bar;

	memcpy(body + MSIX_CONTROL, &control, 2);
	memcpy(body + 4, &table_reg, 4);
	memcpy(body + 8, &pba_reg, 4);
	msix->cap = pci_add_capability(dev, PCI_CAP_ID_MSIX, body, sizeof(body));
	if (!msix->cap)
		return -1;
	dev->wmask[msix->cap + MSIX_CONTROL + 1] = (MSIX_CONTROL_ENABLE | MSIX_CONTROL_MASK) >> 8;
	dev->msix = msix;
	msix->dev = dev;
	msix->nr = nr;
	pthread_mutex_init(&msix->lock, NULL);
	msix_reset(msix);
	return 0;
}

/* Called with the lock held. */
static void tell(struct msix *msix)
{
	if (msix->changed)
		msix->changed(msix->opaque);
}

void msix_reset(struct msix *msix)
{
	unsigned int i;

	pthread_mutex_lock(&msix->lock);
	msix->enabled = false;
	msix->masked = false;
	memset(msix->pending, 0, sizeof(msix->pending));
	memset(msix->entry, 0, sizeof(msix->entry));
	for (i = 0; i < MSIX_MAX_VECTORS; i++)
		msix->entry[i][3] = VECTOR_MASKED;
	tell(msix);
	pthread_mutex_unlock(&msix->lock);
}

bool msix_message(const struct msix *msix, unsigned int vector, u64 *address, u32 *data)
{
	const u32 *e = msix->entry[vector < msix->nr ? vector : 0];

	if (vector >= msix->nr || !msix->enabled || msix->masked || (e[3] & VECTOR_MASKED))
		return false;
	*address = (u64)e[1] << 32 | e[0];
	*data = e[2];
	return true;
}

/* Send @vector if it is pending and not masked. Called with the lock held. */
static void flush_vector(struct msix *msix, unsigned int vector)
{
	u64 bit = BIT_ULL(vector % 64), address;
	u32 data;

	if (!(msix->pending[vector / 64] & bit) || !msix_message(msix, vector, &address, &data))
		return;
	msix->pending[vector / 64] &= ~bit;
	msix->send(msix->opaque, vector, address, data);
}

static void flush(struct msix *msix)
{
	unsigned int i;

	for (i = 0; i < msix->nr; i++)
		flush_vector(msix, i);
}

void msix_config_written(struct msix *msix)
{
	u8 high = msix->dev->cfg[msix->cap + MSIX_CONTROL + 1];

	pthread_mutex_lock(&msix->lock);
	msix->enabled = high & (MSIX_CONTROL_ENABLE >> 8);
	msix->masked = high & (MSIX_CONTROL_MASK >> 8);
	flush(msix);
	tell(msix);
	pthread_mutex_unlock(&msix->lock);
}

bool msix_is_enabled(struct msix *msix)
{
	bool enabled;

	pthread_mutex_lock(&msix->lock);
	enabled = msix->enabled;
	pthread_mutex_unlock(&msix->lock);
	return enabled;
}

void msix_raise(struct msix *msix, unsigned int vector)
{
	if (vector >= msix->nr)
		return;
	pthread_mutex_lock(&msix->lock);
	if (msix->enabled) {
		msix->pending[vector / 64] |= BIT_ULL(vector % 64);
		flush_vector(msix, vector);
	}
	pthread_mutex_unlock(&msix->lock);
}

/*
 * Software accesses the table in aligned 4- or 8-byte units; anything else is undefined and reads
 * as zero.
 */
static bool valid_access(u64 offset, unsigned int size)
{
	return (size == 4 || size == 8) && offset % size == 0;
}

u64 msix_table_read(struct msix *msix, u64 offset, unsigned int size)
{
	u64 value = 0;

	if (!valid_access(offset, size) || offset + size > msix->nr * MSIX_ENTRY_SIZE)
		return 0;
	pthread_mutex_lock(&msix->lock);
	memcpy(&value, (u8 *)msix->entry + offset, size);
	pthread_mutex_unlock(&msix->lock);
	return value;
}

void msix_table_write(struct msix *msix, u64 offset, unsigned int size, u64 value)
{
	if (!valid_access(offset, size) || offset + size > msix->nr * MSIX_ENTRY_SIZE)
		return;
	pthread_mutex_lock(&msix->lock);
	memcpy((u8 *)msix->entry + offset, &value, size);
	flush(msix);
	tell(msix);
	pthread_mutex_unlock(&msix->lock);
}

u64 msix_pba_read(struct msix *msix, u64 offset, unsigned int size)
{
	u64 value = 0;

	if (!valid_access(offset, size) || offset + size > sizeof(msix->pending))
		return 0;
	pthread_mutex_lock(&msix->lock);
	memcpy(&value, (u8 *)msix->pending + offset, size);
	pthread_mutex_unlock(&msix->lock);
	return value;
}
