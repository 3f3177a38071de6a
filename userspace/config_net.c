// SPDX-License-Identifier: GPL-2.0
/*
 * Options that name networks and the devices on them: -netdev, -nic, -net and -device
 * virtio-net-pci. The keys of the back ends are in config_netdev.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_device.h"
#include "config_parse.h"
#include "report.h"

static const char *const kind_names[NETDEV_KINDS] = {
	[NETDEV_USER] = "user",	      [NETDEV_TAP] = "tap",	  [NETDEV_BRIDGE] = "bridge",
	[NETDEV_MACVTAP] = "macvtap", [NETDEV_STREAM] = "stream", [NETDEV_SOCKET] = "socket",
};

const char *netdev_kind_name(enum netdev_kind kind)
{
	return kind_names[kind];
}

#define KINDS "user, tap, bridge, macvtap, stream, socket"

/* The word before the first comma; sets @rest to what follows it. */
static size_t first_word(const char *arg, const char **rest)
{
	size_t len = strcspn(arg, ",");

	*rest = arg[len] ? arg + len + 1 : arg + len;
	return len;
}

static bool word_is(const char *arg, size_t len, const char *word)
{
	return strlen(word) == len && !strncmp(arg, word, len);
}

static struct netdev_config *new_netdev(struct config *cfg, const char *option, const char *arg)
{
	struct net_config *net = &cfg->net;
	struct netdev_config *nd;
	const char *rest, *word = strncmp(arg, "type=", 5) ? arg : arg + 5;
	size_t len = first_word(word, &rest);
	unsigned int kind;

	for (kind = 0; kind < NETDEV_KINDS; kind++) {
		if (word_is(word, len, kind_names[kind]))
			break;
	}
	if (kind == NETDEV_KINDS) {
		report("%s %s: kind '%.*s' is not supported; use %s", option, arg, (int)len, word,
		       KINDS);
		return NULL;
	}
	if (net->nr_netdevs == MAX_NETS) {
		report("%s %s: too many networks; at most %d", option, arg, MAX_NETS);
		return NULL;
	}
	nd = &net->netdev[net->nr_netdevs++];
	nd->kind = (enum netdev_kind)kind;
	nd->queues = 1;
	config_netdev_defaults(nd);
	return config_set_string(&nd->arg, arg) ? NULL : nd;
}

int config_parse_netdev(struct config *cfg, const char *arg)
{
	struct netdev_config *nd = new_netdev(cfg, "-netdev", arg);
	const char *rest;
	unsigned int i;

	if (!nd)
		return -1;
	first_word(arg, &rest);
	if (config_keys("-netdev", rest, config_netdev_key, nd) ||
	    config_netdev_check(nd, "-netdev"))
		return -1;
	if (!nd->id)
		return report("-netdev %s: id= is missing", arg);
	for (i = 0; i + 1 < cfg->net.nr_netdevs; i++) {
		if (cfg->net.netdev[i].id && !strcmp(cfg->net.netdev[i].id, nd->id))
			return report("-netdev %s: id '%s' is taken", arg, nd->id);
	}
	return 0;
}

static int check_model(const char *option, const char *arg, const char *value)
{
	return strcmp(value, "virtio") && strcmp(value, "virtio-net-pci") ?
		       report("%s %s: model '%s' is not supported; use virtio-net-pci", option, arg,
			      value) :
		       0;
}

/**
 * struct short_form - an option that stands for a -device, and perhaps a -netdev
 * @option: its name
 * @mac_key: how it spells the address
 * @nd: the back end it makes, or NULL
 * @device: the -device to be
 */
struct short_form {
	const char *option;
	const char *mac_key;
	struct netdev_config *nd;
	char device[128];
};

static int add_to_device(struct short_form *f, const char *key, const char *value)
{
	size_t len = strlen(f->device), more = strlen(key) + strlen(value) + 2;

	if (strchr(value, ',') || len + more >= sizeof(f->device))
		return report("%s: %s '%s' is not valid", f->option, key, value);
	snprintf(f->device + len, sizeof(f->device) - len, ",%s=%s", key, value);
	return 0;
}

static int short_form_key(void *opaque, const char *arg, const char *key, const char *value)
{
	struct short_form *f = opaque;

	if (!strcmp(key, "model"))
		return check_model(f->option, arg, value);
	if (!strcmp(key, f->mac_key))
		return add_to_device(f, "mac", value);
	if (f->nd)
		return config_netdev_key(f->nd, arg, key, value);
	if (!strcmp(key, "netdev"))
		return add_to_device(f, key, value);
	return report("-net nic,%s: key '%s' is not supported; use model, macaddr, netdev", arg,
		      key);
}

int config_parse_nic(struct config *cfg, const char *arg)
{
	struct short_form f = { .option = "-nic", .mac_key = "mac", .device = "virtio-net-pci" };
	const char *rest;
	char id[16];

	if (!strcmp(arg, "none"))
		return 0;
	f.nd = new_netdev(cfg, "-nic", arg);
	if (!f.nd)
		return -1;
	first_word(arg, &rest);
	if (config_keys("-nic", rest, short_form_key, &f) || config_netdev_check(f.nd, "-nic"))
		return -1;
	/* A name that no user can give: ids have no '#'. */
	if (!f.nd->id) {
		snprintf(id, sizeof(id), "#nic%u", cfg->net.nr_netdevs - 1);
		if (config_set_string(&f.nd->id, id))
			return -1;
	}
	return add_to_device(&f, "netdev", f.nd->id) || config_parse_device(cfg, f.device) ? -1 : 0;
}

#define HUB "#hub"

static int parse_net_nic(struct config *cfg, const char *arg, const char *rest)
{
	struct short_form f = { .option = "-net",
				.mac_key = "macaddr",
				.device = "virtio-net-pci" };

	if (config_keys("-net", rest, short_form_key, &f))
		return -1;
	if (!strstr(f.device, ",netdev=")) {
		if (cfg->net.hub_nic)
			return report(
				"-net %s: a second device on the hub; use -netdev and -device",
				arg);
		cfg->net.hub_nic = true;
		if (add_to_device(&f, "netdev", HUB))
			return -1;
	}
	return config_parse_device(cfg, f.device);
}

/*
 * All -net options without netdev= are on one hub. With one device and one back end, a hub is a
 * cable; that is what is supported.
 */
int config_parse_net(struct config *cfg, const char *arg)
{
	struct netdev_config *nd;
	const char *rest;

	if (!strcmp(arg, "none"))
		return 0;
	if (word_is(arg, first_word(arg, &rest), "nic"))
		return parse_net_nic(cfg, arg, rest);
	if (cfg->net.hub_netdev)
		return report("-net %s: a second network on the hub; use -netdev and -device", arg);
	nd = new_netdev(cfg, "-net", arg);
	if (!nd || config_keys("-net", rest, config_netdev_key, nd) ||
	    config_netdev_check(nd, "-net"))
		return -1;
	if (nd->id)
		return report("-net %s: id goes with -netdev", arg);
	cfg->net.hub_netdev = true;
	return config_set_string(&nd->id, HUB);
}

static int parse_mac(struct nic_config *nic, const struct device_config *dev, const char *value)
{
	unsigned int byte[MAC_LEN], i;
	int end = 0;

	if (strspn(value, "0123456789abcdefABCDEF:") != strlen(value) ||
	    sscanf(value, "%2x:%2x:%2x:%2x:%2x:%2x%n", &byte[0], &byte[1], &byte[2], &byte[3],
		   &byte[4], &byte[5], &end) != MAC_LEN ||
	    value[end])
		return device_report(dev, "'%s' is no MAC address, e.g. 52:54:00:12:34:56", value);
	for (i = 0; i < MAC_LEN; i++)
		nic->mac[i] = (u8)byte[i];
	if (nic->mac[0] & 1)
		return device_report(dev, "%s is a group address; the first byte must be even",
				     value);
	if (!memcmp(nic->mac, "\0\0\0\0\0", MAC_LEN))
		return device_report(dev, "the MAC address is zero");
	return 0;
}

/*
 * An address of QEMU's range, locally administered, that stays the same as long as the guest's name
 * does. FNV-1a.
 */
static void make_mac(struct nic_config *nic, const char *name, unsigned int index)
{
	u32 hash = 2166136261u;

	for (; *name; name++)
		hash = (hash ^ (u8)*name) * 16777619u;
	hash += index;
	nic->mac[0] = 0x52;
	nic->mac[1] = 0x54;
	nic->mac[2] = 0x00;
	nic->mac[3] = (u8)(hash >> 16);
	nic->mac[4] = (u8)(hash >> 8);
	nic->mac[5] = (u8)hash;
}

static int connect_nic(struct net_config *net, struct nic_config *nic,
		       const struct device_config *dev, const char *id)
{
	unsigned int i;

	for (i = 0; i < net->nr_netdevs; i++) {
		if (strcmp(net->netdev[i].id, id))
			continue;
		if (net->netdev[i].used)
			return device_report(dev, "network '%s' has a device already", id);
		net->netdev[i].used = true;
		nic->backend = i;
		return 0;
	}
	if (!strcmp(id, HUB))
		return report(
			"-net nic: no network; add one, e.g. -net user or -net tap,ifname=tap0");
	return device_report(dev, "netdev=%s: there is no -netdev with this id", id);
}

int config_check_nic(struct config *cfg, struct device_config *dev)
{
	struct net_config *net = &cfg->net;
	const char *id = device_value(dev, "netdev"), *mac = device_value(dev, "mac");
	struct nic_config *nic = &net->nic[net->nr_nics];
	u64 mtu = 0, vectors;
	bool mq = true;
	unsigned int i;

	if (net->nr_nics == MAX_NETS)
		return device_report(dev, "too many network devices; at most %d", MAX_NETS);
	if (!id)
		return device_report(dev, "netdev= is missing");
	/* How many vectors there are follows from the queues; QEMU's lines say it nevertheless. */
	if (connect_nic(net, nic, dev, id) || device_flag(dev, "mq", &mq) ||
	    device_number(dev, "host_mtu", NET_MTU_MIN, NET_MTU_MAX, &mtu) ||
	    device_number(dev, "vectors", 0, UINT16_MAX, &vectors))
		return -1;
	if (mac) {
		if (parse_mac(nic, dev, mac))
			return -1;
	} else {
		make_mac(nic, cfg->name, net->nr_nics);
	}
	nic->mtu = (u16)mtu;
	nic->single = !mq;
	for (i = 0; i < net->nr_nics; i++) {
		if (!memcmp(nic->mac, net->nic[i].mac, MAC_LEN))
			return device_report(dev, "another device has the same MAC address");
	}
	net->nr_nics++;
	return 0;
}

int config_net_finish(struct config *cfg)
{
	const struct netdev_config *nd;
	unsigned int i;

	for (i = 0; i < cfg->net.nr_netdevs; i++) {
		nd = &cfg->net.netdev[i];
		if (nd->used)
			continue;
		if (!strcmp(nd->id, HUB))
			return report("-net %s: no device; add -net nic,model=virtio", nd->arg);
		return report("-netdev %s: no device uses it; add -device virtio-net-pci,netdev=%s",
			      nd->arg, nd->id);
	}
	return 0;
}

void config_net_free(struct config *cfg)
{
	unsigned int i;

	for (i = 0; i < MAX_NETS; i++) {
		free(cfg->net.netdev[i].id);
		free(cfg->net.netdev[i].arg);
		free(cfg->net.netdev[i].path);
		free(cfg->net.netdev[i].user.hostname);
	}
}
