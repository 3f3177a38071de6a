// SPDX-License-Identifier: GPL-2.0
/*
 * Device address spaces: who owns which range, and dispatch of one guest access to its owner.
 */
#include <errno.h>
#include <string.h>

#include "bus.h"
#include "types.h"

void bus_init(struct bus *bus)
{
	memset(bus, 0, sizeof(*bus));
	pthread_rwlock_init(&bus->lock, NULL);
}

void bus_destroy(struct bus *bus)
{
	pthread_rwlock_destroy(&bus->lock);
}

int bus_attach(struct bus *bus, u64 base, u64 len, const struct bus_ops *ops, void *opaque)
{
	unsigned int i;
	int ret = 0;

	if (len == 0 || base + (len - 1) < base)
		return -EINVAL;

	pthread_rwlock_wrlock(&bus->lock);
	for (i = 0; i < bus->nr && bus->region[i].base < base; i++)
		;
	if (bus->nr == BUS_MAX_REGIONS)
		ret = -ENOSPC;
	else if (i > 0 && base - bus->region[i - 1].base < bus->region[i - 1].len)
		ret = -EBUSY;
	else if (i < bus->nr && bus->region[i].base - base < len)
		ret = -EBUSY;
	if (!ret) {
		memmove(&bus->region[i + 1], &bus->region[i],
			(bus->nr - i) * sizeof(bus->region[0]));
		bus->region[i] = (struct bus_region){ base, len, ops, opaque };
		bus->nr++;
	}
	pthread_rwlock_unlock(&bus->lock);
	return ret;
}

void bus_detach(struct bus *bus, u64 base)
{
	unsigned int i;

	pthread_rwlock_wrlock(&bus->lock);
	for (i = 0; i < bus->nr; i++) {
		if (bus->region[i].base != base)
			continue;
		bus->nr--;
		memmove(&bus->region[i], &bus->region[i + 1],
			(bus->nr - i) * sizeof(bus->region[0]));
		break;
	}
	pthread_rwlock_unlock(&bus->lock);
}

/* The region that holds all of [addr, addr + len), or NULL. Called with bus->lock held. */
static const struct bus_region *bus_find(const struct bus *bus, u64 addr, unsigned int len)
{
	unsigned int lo = 0, hi = bus->nr;

	while (lo < hi) {
		unsigned int mid = (lo + hi) / 2;
		const struct bus_region *r = &bus->region[mid];

		if (addr < r->base)
			hi = mid;
		else if (addr - r->base >= r->len)
			lo = mid + 1;
		else
			return len <= r->len - (addr - r->base) ? r : NULL;
	}
	return NULL;
}

static int valid_size(unsigned int len)
{
	return len == 1 || len == 2 || len == 4 || len == 8;
}

void bus_read(struct bus *bus, u64 addr, void *data, unsigned int len)
{
	const struct bus_region *r;
	u64 value;

	memset(data, 0xff, len);
	if (!valid_size(len))
		return;
	pthread_rwlock_rdlock(&bus->lock);
	r = bus_find(bus, addr, len);
	if (r && r->ops->read) {
		value = r->ops->read(r->opaque, addr - r->base, len);
		memcpy(data, &value, len);
	}
	pthread_rwlock_unlock(&bus->lock);
}

void bus_write(struct bus *bus, u64 addr, const void *data, unsigned int len)
{
	const struct bus_region *r;
	u64 value = 0;

	if (!valid_size(len))
		return;
	memcpy(&value, data, len);
	pthread_rwlock_rdlock(&bus->lock);
	r = bus_find(bus, addr, len);
	if (r && r->ops->write)
		r->ops->write(r->opaque, addr - r->base, len, value);
	pthread_rwlock_unlock(&bus->lock);
}
