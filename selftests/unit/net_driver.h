/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Owns what the tests of the network device share: a machine and a configuration that are
 * stand-ins, and virtio_bus.h in the place of the transport.
 */
#ifndef MINIKVM_UNIT_NET_DRIVER_H
#define MINIKVM_UNIT_NET_DRIVER_H

#include "config_device.h"
#include "machine.h"
#include "sandbox.h"
#include "tap.h"
#include "virtio/net.h"
#include "virtio_bus.h"

#define PAIRS		2
#define RING(q)		(0x1000ULL + (q) * 0x4000ULL)	/* descriptors; rings behind them */
#define FEATURE(n)	BIT_ULL(VIRTIO_NET_F_##n)

static struct machine m;
static struct config cfg;
static const struct device_ops *ops;
static void *nic;

int machine_add_device(struct machine *machine, const struct device_ops *device_ops, void *opaque)
{
	(void)machine;
	ops = device_ops;
	nic = opaque;
	return 0;
}

void sandbox_thread(enum sandbox_kind kind)
{
	(void)kind;
}

const char *device_value(const struct device_config *d, const char *key)
{
	(void)d;
	(void)key;
	return "n";
}

int config_check_nic(struct config *c, struct device_config *d)
{
	(void)c;
	(void)d;
	return 0;
}

const char *netdev_kind_name(enum netdev_kind kind)
{
	(void)kind;
	return "tap";
}

static u8 *at(gpa_t gpa)
{
	return m.mem.ram[0].hva + gpa;
}

#endif
