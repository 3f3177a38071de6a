// SPDX-License-Identifier: GPL-2.0
/*
 * `mkvm net up|down|list`: the command line of NAT networks.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "config_parse.h"
#include "net/cmd_net.h"
#include "net/link.h"
#include "net/nat.h"
#include "report.h"

static const char help_text[] =
	"Usage: mkvm net COMMAND [options]\n"
	"\n"
	"  up [--subnet ADDRESS/BITS] [--no-dhcp] NAME\n"
	"                      make a NAT network for guests: the bridge NAME with the host's address\n"
	"                      on it, DHCP by dnsmasq if that is installed, and a way out; without\n"
	"                      --subnet the first free one of 192.168.130.0/24 to 192.168.199.0/24\n"
	"  down [-f] NAME      take it away without a trace; -f: also while guests use it\n"
	"  list [--json]       the networks that are up\n"
	"  help                this text\n"
	"\n"
	"Guests join with 'mkvm run -nic bridge,br=NAME'.\n";

/* Names of the bridge's ports, "a, b"; how many. */
static unsigned int list_ports(const char *bridge, char *text, size_t size)
{
	char path[64];
	unsigned int n = 0;
	size_t len = 0;
	struct dirent *d;
	DIR *dir;

	*text = '\0';
	snprintf(path, sizeof(path), "/sys/class/net/%s/brif", bridge);
	dir = opendir(path);
	while (dir && (d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		if (len < size)
			len += (size_t)snprintf(text + len, size - len, "%s%s", n ? ", " : "",
						d->d_name);
		n++;
	}
	if (dir)
		closedir(dir);
	return n;
}

static bool overlaps(void *opaque, const struct nat *other)
{
	struct nat *nat = opaque;

	if (((other->net.s_addr ^ nat->net.s_addr) & other->mask.s_addr & nat->mask.s_addr))
		return true;
	nat->net.s_addr = 0;
	return false;
}

/* The first network of ours that neither an interface nor another of our networks has. */
static int choose_subnet(struct nat *nat)
{
	unsigned int i;

	for (i = 130; i < 200; i++) {
		struct nat probe = { .net = { htonl(0xc0a80000 | i << 8) },
				     .mask = { htonl(0xffffff00) } };

		nat_each(overlaps, &probe);
		if (!probe.net.s_addr || link_has_address_in(probe.net, probe.mask, NULL))
			continue;
		nat->net = probe.net;
		nat->mask = probe.mask;
		return 0;
	}
	return report("network %s: no subnet is free; choose one with --subnet", nat->name);
}

static int take_name(struct nat *nat, const char *arg)
{
	if (*nat->name)
		return report("net: one network at a time, not also '%s'", arg);
	if (*arg == '-')
		return report("net: option '%s' is not supported (see 'mkvm net --help')", arg);
	/* It is also the name of a table of nft, and of files. */
	if (!config_interface_valid(arg) || strspn(arg, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
							"qrstuvwxyz0123456789_-") != strlen(arg))
		return report(
			"net: '%s' is no name of a network: 1 to %d letters, digits, '_' or '-'",
			arg, IFNAMSIZ - 1);
	strcpy(nat->name, arg);
	return 0;
}

static int net_up(int argc, char **argv)
{
	struct nat nat = { .dhcp = true };
	char address[INET_ADDRSTRLEN];
	struct in_addr host;
	int i, lock, ret;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--no-dhcp")) {
			nat.dhcp = false;
		} else if (!strcmp(argv[i], "--subnet")) {
			if (++i == argc || !config_subnet(argv[i], &nat.net, &nat.mask))
				return report(
					"net up: --subnet takes a network of /8 to /28, e.g. 192.168.130.0/24");
		} else if (take_name(&nat, argv[i])) {
			return -1;
		}
	}
	if (!*nat.name)
		return report("net up: which? Give the network a name");
	lock = nat_lock();
	if (lock < 0)
		return -1;
	if (nat.dhcp && !nat_tool_exists("dnsmasq")) {
		nat.dhcp = false;
		fprintf(stderr, "mkvm: dnsmasq is not installed: no DHCP on this network\n");
	}
	ret = nat.net.s_addr ? 0 : choose_subnet(&nat);
	if (!ret)
		ret = nat_up(&nat);
	nat_unlock(lock);
	if (ret)
		return -1;
	host.s_addr = htonl(ntohl(nat.net.s_addr) + 1);
	inet_ntop(AF_INET, &host, address, sizeof(address));
	printf("%s: host %s/%d%s; guests join with -nic bridge,br=%s\n", nat.name, address,
	       __builtin_popcount(nat.mask.s_addr), nat.dhcp ? ", DHCP" : "", nat.name);
	return 0;
}

static int net_down(int argc, char **argv)
{
	struct nat wanted = { .name = "" }, nat;
	char ports[256];
	bool force = false;
	int i, lock, ret;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-f") || !strcmp(argv[i], "--force"))
			force = true;
		else if (take_name(&wanted, argv[i]))
			return -1;
	}
	if (!*wanted.name)
		return report("net down: which? Give the network's name");
	lock = nat_lock();
	if (lock < 0)
		return -1;
	ret = nat_load(&nat, wanted.name);
	if (ret == -ENOENT)
		ret = report("network %s is not up", nat.name);
	else if (ret)
		ret = report("network %s: its file in " NAT_DIR " is damaged: %s", nat.name,
			     strerror(-ret));
	else if (!force && list_ports(nat.name, ports, sizeof(ports)))
		ret = report("network %s is in use by %s; -f takes it down nevertheless", nat.name,
			     ports);
	else
		ret = nat_down(&nat);
	nat_unlock(lock);
	return ret;
}

static bool print_one(void *opaque, const struct nat *nat)
{
	json_t *array = opaque;
	char subnet[48], address[INET_ADDRSTRLEN], ports[256];
	unsigned int n = list_ports(nat->name, ports, sizeof(ports));
	bool up = link_is_up(nat->name);

	inet_ntop(AF_INET, &nat->net, address, sizeof(address));
	snprintf(subnet, sizeof(subnet), "%s/%d", address, __builtin_popcount(nat->mask.s_addr));
	if (array)
		json_array_append_new(array, json_pack("{s:s,s:s,s:b,s:b,s:i}", "name", nat->name,
						       "subnet", subnet, "up", up, "dhcp",
						       nat->dhcp, "ports", (int)n));
	else
		printf("%-15s %-18s %-4s %-5s %s\n", nat->name, subnet, up ? "up" : "DOWN",
		       nat->dhcp ? "dhcp" : "-", n ? ports : "-");
	return true;
}

static int net_list(int argc, char **argv)
{
	json_t *array = NULL;
	bool json = argc == 2 && !strcmp(argv[1], "--json");

	if (argc > 1 && !json)
		return report("net list: '%s' is not supported; there is --json", argv[1]);
	if (json)
		array = json_array();
	else
		printf("%-15s %-18s %-4s %-5s %s\n", "NAME", "SUBNET", "LINK", "DHCP", "PORTS");
	nat_each(print_one, array);
	if (json) {
		json_dumpf(array, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(array);
	}
	return 0;
}

int cmd_net(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";

	if (!strcmp(verb, "up"))
		return net_up(argc - 1, argv + 1) ? EXIT_ERROR : 0;
	if (!strcmp(verb, "down"))
		return net_down(argc - 1, argv + 1) ? EXIT_ERROR : 0;
	if (!strcmp(verb, "list"))
		return net_list(argc - 1, argv + 1) ? EXIT_ERROR : 0;
	if (!strcmp(verb, "--help") || !strcmp(verb, "-help") || !strcmp(verb, "-h") ||
	    !strcmp(verb, "help")) {
		fputs(help_text, stdout);
		return 0;
	}
	report("net: use up, down or list (see 'mkvm net --help')");
	return EXIT_ERROR;
}
