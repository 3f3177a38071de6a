// SPDX-License-Identifier: GPL-2.0
/*
 * The machine as a JSON object, and that object as text. The devices are really made, with streams
 * and networks that lead nowhere, so that slots and addresses are those of a run.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "block/block.h"
#include "block/format.h"
#include "chardev.h"
#include "dev/pci.h"
#include "dev/pci_regs.h"
#include "dry_run.h"
#include "machine.h"
#include "net/net.h"
#include "report.h"
#include "types.h"

#define VIRTIO_VENDOR	0x1af4
#define VIRTIO_DEVICE	0x1040

/* ---- a board that leads nowhere ------------------------------------------------------------- */

static void close_net(struct net_backend *nb)
{
	free(nb);
}

static const struct net_backend_ops nowhere_ops = { .close = close_net };

static int open_nowhere(struct machine *m)
{
	const struct chardev_config null = { .kind = CHARDEV_NULL };
	unsigned int i;

	for (i = 0; i < m->cfg->nr_serials; i++) {
		if (m->cfg->serial[i].kind == CHARDEV_NONE)
			continue;
		m->serial[i] = chardev_open(&null, m);
		if (!m->serial[i])
			return -1;
	}
	for (i = 0; i < m->cfg->nr_chardevs; i++) {
		m->chardev[i] = chardev_open(&null, m);
		if (!m->chardev[i])
			return -1;
	}
	for (i = 0; i < m->cfg->net.nr_netdevs; i++) {
		m->net[i] = calloc(1, sizeof(*m->net[i]));
		if (!m->net[i])
			return report("out of memory");
		m->net[i]->ops = &nowhere_ops;
		m->net[i]->queues = m->cfg->net.netdev[i].queues ? m->cfg->net.netdev[i].queues : 1;
	}
	return 0;
}

/* ---- the object ----------------------------------------------------------------------------- */

static json_t *describe_cpus(const struct config *cfg)
{
	return json_pack("{s:i, s:i, s:i, s:i}", "cpus", cfg->nr_vcpus, "sockets",
			 cfg->nr_vcpus / (cfg->nr_cores * cfg->nr_threads), "cores", cfg->nr_cores,
			 "threads", cfg->nr_threads);
}

static json_t *describe_boot(const struct boot_source *boot)
{
	const char *format = boot->elf.nr_segments ? "elf" : "bzImage";
	const char *protocol = boot->protocol == BOOT_PVH ? "pvh" : "linux-64";
	json_t *o = json_pack("{s:s, s:s, s:s, s:I, s:I, s:s}", "kernel", boot->cfg->kernel, "format",
			      format, "protocol", protocol, "address",
			      (json_int_t)boot->kernel_gpa, "entry", (json_int_t)boot->entry,
			      "append", boot->cfg->append);

	if (o && boot->initrd_size)
		json_object_set_new(o, "initrd",
				    json_pack("{s:s, s:I, s:I}", "file", boot->cfg->initrd,
					      "address", (json_int_t)boot->initrd_gpa, "size",
					      (json_int_t)boot->initrd_size));
	return o;
}

static json_t *describe_range(u64 start, u64 end, const char *what)
{
	return json_pack("{s:I, s:I, s:s}", "start", (json_int_t)start, "end",
			 (json_int_t)(end - 1), "what", what);
}

static json_t *describe_memory(const struct config *cfg)
{
	struct boot_range range[BOOT_MAX_RANGES];
	unsigned int nr = boot_memory_map(cfg, range), i;
	json_t *list = json_array();

	for (i = 0; i < nr; i++) {
		/* What is outside RAM and below 4 GiB stands between RAM and reserved pages. */
		if (range[i].start == KVM_IDENTITY_MAP_BASE) {
			json_array_append_new(list, describe_range(PCI_MMIO_BASE, PCI_MMIO_END + 1,
								   "PCI"));
			json_array_append_new(list, describe_range(IOAPIC_BASE,
								   IOAPIC_BASE + 0x1000,
								   "I/O APIC"));
			json_array_append_new(list, describe_range(LAPIC_BASE, LAPIC_BASE + 0x1000,
								   "local APICs"));
		}
		json_array_append_new(list, describe_range(range[i].start, range[i].end,
							   range[i].type == 1 ? "RAM" : "reserved"));
	}
	return list;
}

static const char *device_name(unsigned int vendor, unsigned int device)
{
	static const char *const virtio[] = {
		[1] = "virtio-net", [2] = "virtio-blk", [3] = "virtio-console", [4] = "virtio-rng",
	};

	if (vendor != VIRTIO_VENDOR)
		return "host bridge";
	device -= VIRTIO_DEVICE;
	return device < ARRAY_SIZE(virtio) && virtio[device] ? virtio[device] : "virtio device";
}

static json_t *describe_function(const struct pci_dev *dev)
{
	unsigned int vendor = dev->cfg[PCI_VENDOR] | dev->cfg[PCI_VENDOR + 1] << 8;
	unsigned int device = dev->cfg[PCI_DEVICE] | dev->cfg[PCI_DEVICE + 1] << 8, i;
	char slot[16], id[16];
	json_t *o, *bars = json_array();

	snprintf(slot, sizeof(slot), "00:%02x.0", dev->slot);
	snprintf(id, sizeof(id), "%04x:%04x", vendor, device);
	o = json_pack("{s:s, s:s, s:s}", "address", slot, "id", id, "what",
		      device_name(vendor, device));
	for (i = 0; i < PCI_BARS; i++) {
		const u8 *bar = dev->cfg + PCI_BAR0 + i * 4;
		u64 base = (bar[0] & 0xf0u) | (u64)bar[1] << 8 | (u64)bar[2] << 16 | (u64)bar[3] << 24;

		if (dev->bar[i].size)
			json_array_append_new(bars, describe_range(base, base + dev->bar[i].size,
								   "registers"));
	}
	json_object_set_new(o, "bars", bars);
	if (dev->cfg[PCI_INT_PIN])
		json_object_set_new(o, "gsi", json_integer(pci_slot_gsi(dev->slot)));
	return o;
}

static json_t *describe_pci(const struct machine *m)
{
	json_t *list = json_array();
	unsigned int slot;

	for (slot = 0; slot < PCI_SLOTS; slot++) {
		const struct pci_dev *dev = pci_host_slot(m, slot);

		if (dev)
			json_array_append_new(list, describe_function(dev));
	}
	return list;
}

static json_t *describe_disks(const struct machine *m)
{
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < m->cfg->nr_drives; i++) {
		const struct block *b = m->disk[i];

		json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:b}", "file", b->path,
						      "format", b->format->name, "size",
						      (json_int_t)b->size, "readonly",
						      b->readonly));
	}
	return list;
}

static json_t *describe_nets(const struct config *cfg)
{
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < cfg->net.nr_nics; i++) {
		const struct nic_config *nic = &cfg->net.nic[i];
		const struct netdev_config *nd = &cfg->net.netdev[nic->backend];
		char mac[18];

		snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", nic->mac[0],
			 nic->mac[1], nic->mac[2], nic->mac[3], nic->mac[4], nic->mac[5]);
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:b}", "kind",
						      netdev_kind_name(nd->kind), "mac", mac,
						      "netdev", nd->arg ? nd->arg : "", "vhost",
						      nd->vhost));
	}
	return list;
}

static json_t *describe_stream(const char *what, const struct chardev_config *c)
{
	static const char *const names[] = {
		[CHARDEV_NONE] = "none", [CHARDEV_STDIO] = "stdio", [CHARDEV_FILE] = "file",
		[CHARDEV_NULL] = "null", [CHARDEV_PTY] = "pty", [CHARDEV_UNIX] = "unix",
		[CHARDEV_TCP] = "tcp",
	};
	json_t *o = json_pack("{s:s, s:s}", "what", what, "stream", names[c->kind]);

	if (c->path)
		json_object_set_new(o, "path", json_string(c->path));
	if (c->port)
		json_object_set_new(o, "port", json_integer(c->port));
	return o;
}

static json_t *describe_streams(const struct config *cfg)
{
	static const char *const ports[MAX_SERIALS] = {
		"COM1, ports 0x3f8-0x3ff, GSI 4", "COM2, ports 0x2f8-0x2ff, GSI 3",
	};
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < cfg->nr_serials; i++) {
		if (cfg->serial[i].kind != CHARDEV_NONE)
			json_array_append_new(list, describe_stream(ports[i], &cfg->serial[i]));
	}
	for (i = 0; i < cfg->nr_chardevs; i++) {
		if (cfg->chardev[i].kind != CHARDEV_NONE)
			json_array_append_new(list, describe_stream(cfg->chardev[i].id,
								    &cfg->chardev[i]));
	}
	return list;
}

static json_t *describe(const struct machine *m)
{
	const struct config *cfg = m->cfg;

	return json_pack("{s:s, s:s, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "name", cfg->name,
			 "accel", cfg->accel, "smp", describe_cpus(cfg), "memory-size",
			 (json_int_t)cfg->mem_size, "boot", describe_boot(&m->boot), "memory-map",
			 describe_memory(cfg), "pci", describe_pci(m), "disks", describe_disks(m),
			 "networks", describe_nets(cfg), "streams", describe_streams(cfg));
}

/* ---- the object as text --------------------------------------------------------------------- */

static const char *str(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static u64 num(const json_t *o, const char *key)
{
	return (u64)json_integer_value(json_object_get(o, key));
}

static void print_boot(const json_t *boot)
{
	const json_t *initrd = json_object_get(boot, "initrd");

	printf("kernel: %s: %s at 0x%llx, entered at 0x%llx (%s)\n", str(boot, "kernel"),
	       str(boot, "format"), num(boot, "address"), num(boot, "entry"),
	       str(boot, "protocol"));
	if (initrd)
		printf("initrd: %s: %llu bytes at 0x%llx\n", str(initrd, "file"),
		       num(initrd, "size"), num(initrd, "address"));
	printf("command line: %s\n", str(boot, "append"));
}

static void print_function(const json_t *dev)
{
	const json_t *bar;
	size_t i;

	printf("  %s  %s  %s", str(dev, "address"), str(dev, "id"), str(dev, "what"));
	json_array_foreach(json_object_get(dev, "bars"), i, bar)
		printf("  %08llx-%08llx", num(bar, "start"), num(bar, "end"));
	if (json_object_get(dev, "gsi"))
		printf("  GSI %llu", num(dev, "gsi"));
	putchar('\n');
}

static void print_ends(const json_t *o)
{
	const json_t *e;
	size_t i;

	json_array_foreach(json_object_get(o, "disks"), i, e)
		printf("disk %zu: %s: %s, %llu bytes%s\n", i, str(e, "file"), str(e, "format"),
		       num(e, "size"), json_is_true(json_object_get(e, "readonly")) ?
				       ", read-only" : "");
	json_array_foreach(json_object_get(o, "networks"), i, e)
		printf("network %zu: %s, MAC address %s%s\n", i, str(e, "netdev"), str(e, "mac"),
		       json_is_true(json_object_get(e, "vhost")) ? ", by vhost-net" : "");
	json_array_foreach(json_object_get(o, "streams"), i, e) {
		printf("stream %zu: %s: %s", i, str(e, "what"), str(e, "stream"));
		if (str(e, "path"))
			printf(" %s", str(e, "path"));
		if (json_object_get(e, "port"))
			printf(" port %llu", num(e, "port"));
		putchar('\n');
	}
}

static void print_text(const json_t *o)
{
	const json_t *smp = json_object_get(o, "smp"), *e;
	size_t i;

	printf("machine %s: %llu MiB, %llu CPUs (%llu sockets of %llu cores of %llu threads) on %s\n",
	       str(o, "name"), num(o, "memory-size") / MIB, num(smp, "cpus"), num(smp, "sockets"),
	       num(smp, "cores"), num(smp, "threads"), str(o, "accel"));
	print_boot(json_object_get(o, "boot"));
	printf("memory:\n");
	json_array_foreach(json_object_get(o, "memory-map"), i, e)
		printf("  %012llx-%012llx  %s\n", num(e, "start"), num(e, "end"), str(e, "what"));
	printf("PCI:\n");
	json_array_foreach(json_object_get(o, "pci"), i, e)
		print_function(e);
	print_ends(o);
}

int dry_run(struct machine *m, bool json)
{
	json_t *o = NULL;
	int ret = -1;

	if (open_nowhere(m))
		return -1;
	if (!machine_create(m)) {
		o = describe(m);
		ret = o ? 0 : report("out of memory, or a name that is no UTF-8");
	}
	if (o && json) {
		json_dumpf(o, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (o) {
		print_text(o);
	}
	json_decref(o);
	machine_destroy(m);
	return ret;
}
