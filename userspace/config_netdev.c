// SPDX-License-Identifier: GPL-2.0
/*
 * The keys of network back ends: which kind takes which, and what they may be.
 */
#include <arpa/inet.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "config_parse.h"
#include "report.h"

#define K(kind) BIT(NETDEV_##kind)
#define ANY	(BIT(NETDEV_KINDS) - 1)

/* A key for messages: the list it stands in, and its name. */
struct place {
	const char *arg;
	const char *key;
};

typedef int (*set_fn)(struct netdev_config *nd, const struct place *at, const char *value);

static int set_id(struct netdev_config *nd, const struct place *at, const char *value)
{
	if (!*value || strlen(value) > 64 || strchr(value, '#'))
		return report("network %s: '%s' is no id: 1 to 64 characters, no '#'", at->arg,
			      value);
	return config_set_string(&nd->id, value);
}

bool config_interface_valid(const char *name)
{
	return *name && strlen(name) < IFNAMSIZ && !strpbrk(name, "/%:\" \t\n\\") &&
	       strcmp(name, ".") && strcmp(name, "..");
}

static int set_interface(char *field, const struct place *at, const char *value)
{
	if (!config_interface_valid(value))
		return report("network %s: %s '%s' is no name of an interface (1 to %d characters)",
			      at->arg, at->key, value, IFNAMSIZ - 1);
	strcpy(field, value);
	return 0;
}

static int set_ifname(struct netdev_config *nd, const struct place *at, const char *value)
{
	return set_interface(nd->ifname, at, value);
}

static int set_bridge(struct netdev_config *nd, const struct place *at, const char *value)
{
	return set_interface(nd->bridge, at, value);
}

static int set_parent(struct netdev_config *nd, const struct place *at, const char *value)
{
	return set_interface(nd->parent, at, value);
}

static int set_mode(struct netdev_config *nd, const struct place *at, const char *value)
{
	static const struct {
		const char *name;
		u32 mode;
	} modes[] = {
		{ "bridge", MACVLAN_MODE_BRIDGE },
		{ "private", MACVLAN_MODE_PRIVATE },
		{ "vepa", MACVLAN_MODE_VEPA },
		{ "passthru", MACVLAN_MODE_PASSTHRU },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		if (!strcmp(value, modes[i].name)) {
			nd->mode = modes[i].mode;
			return 0;
		}
	}
	return report("network %s: mode '%s' is unknown; use bridge, private, vepa or passthru",
		      at->arg, value);
}

static int add_fd(struct netdev_config *nd, const struct place *at, const char *value,
		  const char **end)
{
	u64 n;

	if (!config_number(value, &n, end) || (**end && **end != ':') || n < 3 || n > INT32_MAX)
		return report("network %s: %s takes open file descriptors from 3 on, not '%s'",
			      at->arg, at->key, value);
	if (nd->nr_fds == MAX_NET_QUEUES)
		return report("network %s: too many descriptors; at most %d", at->arg,
			      MAX_NET_QUEUES);
	nd->fd[nd->nr_fds++] = (int)n;
	return 0;
}

static int set_fd(struct netdev_config *nd, const struct place *at, const char *value)
{
	const char *end;

	if (add_fd(nd, at, value, &end))
		return -1;
	return *end ? report("network %s: fd takes one descriptor; use fds", at->arg) : 0;
}

static int set_fds(struct netdev_config *nd, const struct place *at, const char *value)
{
	const char *end;

	for (;; value = end + 1) {
		if (add_fd(nd, at, value, &end))
			return -1;
		if (!*end)
			return 0;
	}
}

static int set_queues(struct netdev_config *nd, const struct place *at, const char *value)
{
	const char *end;
	u64 n;

	if (!config_number(value, &n, &end) || *end || n < 1 || n > MAX_NET_QUEUES)
		return report("network %s: queues is a number from 1 to %d, not '%s'", at->arg,
			      MAX_NET_QUEUES, value);
	nd->queues = (unsigned int)n;
	return 0;
}

static int on_or_off(bool *field, const struct place *at, const char *value)
{
	*field = !strcmp(value, "on") || !strcmp(value, "yes");
	return *field || !strcmp(value, "off") || !strcmp(value, "no") ?
		       0 :
		       report("network %s: %s is on or off, not '%s'", at->arg, at->key, value);
}

static int set_vhost(struct netdev_config *nd, const struct place *at, const char *value)
{
	return on_or_off(&nd->vhost, at, value);
}

static int set_script(struct netdev_config *nd, const struct place *at, const char *value)
{
	(void)nd;
	return strcmp(value, "no") ?
		       report("network %s: mkvm runs no scripts; use %s=no, and br= to join a bridge",
			      at->arg, at->key) :
		       0;
}

static int set_server(struct netdev_config *nd, const struct place *at, const char *value)
{
	return on_or_off(&nd->server, at, value);
}

static int set_path(struct netdev_config *nd, const struct place *at, const char *value)
{
	struct sockaddr_un address;

	if (!*value || strlen(value) >= sizeof(address.sun_path))
		return report("network %s: a socket's path has 1 to %zu characters", at->arg,
			      sizeof(address.sun_path) - 1);
	return config_set_string(&nd->path, value);
}

static int parse_port(u16 *port, const struct place *at, const char *value)
{
	const char *end;
	u64 n;

	if (!config_number(value, &n, &end) || *end || n < 1 || n > UINT16_MAX)
		return report("network %s: '%s' is no port", at->arg, value);
	*port = (u16)n;
	return 0;
}

static int parse_address(struct in_addr *address, const struct place *at, const char *value)
{
	if (!strcmp(value, "localhost"))
		value = "127.0.0.1";
	return inet_pton(AF_INET, value, address) == 1 ?
		       0 :
		       report("network %s: %s '%s' is no IPv4 address", at->arg, at->key, value);
}

static int set_addr_host(struct netdev_config *nd, const struct place *at, const char *value)
{
	return parse_address(&nd->address.sin_addr, at, value);
}

static int set_addr_port(struct netdev_config *nd, const struct place *at, const char *value)
{
	u16 port;

	if (parse_port(&port, at, value))
		return -1;
	nd->address.sin_port = htons(port);
	return 0;
}

static int set_addr_type(struct netdev_config *nd, const struct place *at, const char *value)
{
	if (!strcmp(value, "inet"))
		nd->address.sin_family = AF_INET;
	else if (!strcmp(value, "unix"))
		nd->address.sin_family = AF_UNIX;
	else
		return report("network %s: addr.type '%s' is not supported; use unix or inet",
			      at->arg, value);
	return 0;
}

/* [HOST]:PORT */
static int parse_endpoint(struct netdev_config *nd, const struct place *at, const char *value)
{
	const char *colon = strrchr(value, ':');
	char host[INET_ADDRSTRLEN] = "0.0.0.0";

	if (!colon || (size_t)(colon - value) >= sizeof(host))
		return report("network %s: %s is HOST:PORT with an IPv4 address, not '%s'", at->arg,
			      at->key, value);
	if (colon != value) {
		memcpy(host, value, (size_t)(colon - value));
		host[colon - value] = '\0';
	}
	nd->address.sin_family = AF_INET;
	return set_addr_host(nd, at, host) || set_addr_port(nd, at, colon + 1) ? -1 : 0;
}

static int set_listen(struct netdev_config *nd, const struct place *at, const char *value)
{
	nd->server = true;
	return parse_endpoint(nd, at, value);
}

static int set_connect(struct netdev_config *nd, const struct place *at, const char *value)
{
	if (*value == ':')
		return report("network %s: connect= needs a host, e.g. 127.0.0.1%s", at->arg,
			      value);
	return parse_endpoint(nd, at, value);
}

bool config_subnet(const char *value, struct in_addr *net, struct in_addr *mask)
{
	char text[2 * INET_ADDRSTRLEN], *slash;
	const char *end;
	u64 bits = 24;
	u32 host;

	if (strlen(value) >= sizeof(text))
		return false;
	strcpy(text, value);
	slash = strchr(text, '/');
	if (slash)
		*slash++ = '\0';
	if (slash && strchr(slash, '.')) {
		if (inet_pton(AF_INET, slash, mask) != 1)
			return false;
	} else {
		if (slash && (!config_number(slash, &bits, &end) || *end || bits < 8 || bits > 28))
			return false;
		mask->s_addr = htonl(UINT32_MAX << (32 - bits));
	}
	host = ~ntohl(mask->s_addr);
	/* The bits of the mask are in one piece, and there is room for 14 to 2^24 - 2 addresses. */
	if (inet_pton(AF_INET, text, net) != 1 || (host & (host + 1)) || host < 15 ||
	    host > 0xffffff)
		return false;
	net->s_addr &= mask->s_addr;
	return true;
}

static int set_net(struct netdev_config *nd, const struct place *at, const char *value)
{
	return config_subnet(value, &nd->user.net, &nd->user.mask) ?
		       0 :
		       report("network %s: net '%s' is no IPv4 network of /8 to /28, e.g. 10.0.2.0/24",
			      at->arg, value);
}

static int set_host(struct netdev_config *nd, const struct place *at, const char *value)
{
	return parse_address(&nd->user.host, at, value);
}

static int set_dhcpstart(struct netdev_config *nd, const struct place *at, const char *value)
{
	return parse_address(&nd->user.dhcp_start, at, value);
}

static int set_dns(struct netdev_config *nd, const struct place *at, const char *value)
{
	return parse_address(&nd->user.dns, at, value);
}

static int set_hostname(struct netdev_config *nd, const struct place *at, const char *value)
{
	if (!*value || strlen(value) > 63)
		return report("network %s: hostname has 1 to 63 characters", at->arg);
	return config_set_string(&nd->user.hostname, value);
}

/* They say what is so anyway. */
static int set_ipv4(struct netdev_config *nd, const struct place *at, const char *value)
{
	bool on;

	(void)nd;
	if (on_or_off(&on, at, value))
		return -1;
	return on ? 0 : report("network %s: ipv4=off is not supported", at->arg);
}

static int set_ipv6(struct netdev_config *nd, const struct place *at, const char *value)
{
	bool on;

	(void)nd;
	if (on_or_off(&on, at, value))
		return -1;
	return on ? report("network %s: ipv6=on is not supported; user networks are IPv4",
			   at->arg) :
		    0;
}

static int set_restrict(struct netdev_config *nd, const struct place *at, const char *value)
{
	return on_or_off(&nd->user.restricted, at, value);
}

/* [tcp|udp]:[HOST]:PORT-[GUEST]:PORT, split in place. */
static int parse_hostfwd(struct hostfwd *fwd, const struct place *at, const char *value, char *text)
{
	char *host = strchr(text, ':'), *port, *guest, *guest_port;

	if (!host)
		goto bad;
	*host++ = '\0';
	guest = strchr(host, '-');
	if (!guest)
		goto bad;
	*guest++ = '\0';
	port = strchr(host, ':');
	guest_port = strchr(guest, ':');
	if (!port || !guest_port)
		goto bad;
	*port++ = '\0';
	*guest_port++ = '\0';
	fwd->udp = !strcmp(text, "udp");
	if (*text && !fwd->udp && strcmp(text, "tcp"))
		goto bad;
	if ((*host && parse_address(&fwd->host, at, host)) ||
	    (*guest && parse_address(&fwd->guest, at, guest)))
		return -1;
	return parse_port(&fwd->host_port, at, port) ||
			       parse_port(&fwd->guest_port, at, guest_port) ?
		       -1 :
		       0;
bad:
	return report(
		"network %s: hostfwd is [tcp|udp]:[ADDRESS]:PORT-[ADDRESS]:PORT, e.g. tcp::2222-:22, not '%s'",
		at->arg, value);
}

static int set_hostfwd(struct netdev_config *nd, const struct place *at, const char *value)
{
	struct user_net_config *u = &nd->user;
	char *text;
	int ret;

	if (u->nr_fwds == MAX_HOSTFWDS)
		return report("network %s: too many forwarded ports; at most %d", at->arg,
			      MAX_HOSTFWDS);
	text = strdup(value);
	if (!text)
		return report("out of memory");
	ret = parse_hostfwd(&u->fwd[u->nr_fwds], at, value, text);
	free(text);
	u->nr_fwds += !ret;
	return ret;
}

static const struct {
	const char *key;
	unsigned int kinds;
	set_fn set;
} keys[] = {
	{ "id", ANY, set_id },
	{ "ifname", K(TAP) | K(BRIDGE) | K(MACVTAP), set_ifname },
	{ "fd", K(TAP), set_fd },
	{ "fds", K(TAP), set_fds },
	{ "br", K(TAP) | K(BRIDGE), set_bridge },
	{ "queues", K(TAP) | K(MACVTAP), set_queues },
	{ "vhost", K(TAP) | K(BRIDGE) | K(MACVTAP), set_vhost },
	{ "script", K(TAP), set_script },
	{ "downscript", K(TAP), set_script },
	{ "dev", K(MACVTAP), set_parent },
	{ "mode", K(MACVTAP), set_mode },
	{ "server", K(STREAM), set_server },
	{ "addr.type", K(STREAM), set_addr_type },
	{ "addr.path", K(STREAM), set_path },
	{ "addr.host", K(STREAM), set_addr_host },
	{ "addr.port", K(STREAM), set_addr_port },
	{ "listen", K(SOCKET), set_listen },
	{ "connect", K(SOCKET), set_connect },
	{ "net", K(USER), set_net },
	{ "host", K(USER), set_host },
	{ "dhcpstart", K(USER), set_dhcpstart },
	{ "dns", K(USER), set_dns },
	{ "hostname", K(USER), set_hostname },
	{ "restrict", K(USER), set_restrict },
	{ "hostfwd", K(USER), set_hostfwd },
	{ "ipv4", K(USER), set_ipv4 },
	{ "ipv6", K(USER), set_ipv6 },
};

int config_netdev_key(void *opaque, const char *arg, const char *key, const char *value)
{
	struct netdev_config *nd = opaque;
	struct place at = { .arg = nd->arg, .key = key };
	char allowed[256] = "";
	size_t i, len = 0;

	(void)arg;
	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		if (!(keys[i].kinds & BIT(nd->kind)))
			continue;
		if (!strcmp(keys[i].key, key))
			return keys[i].set(nd, &at, value);
		len += (size_t)snprintf(allowed + len, sizeof(allowed) - len, "%s%s",
					len ? ", " : "", keys[i].key);
	}
	return report("network %s: key '%s' is not supported; use %s", nd->arg, key, allowed);
}

void config_netdev_defaults(struct netdev_config *nd)
{
	nd->mode = MACVLAN_MODE_BRIDGE;
	nd->user.net.s_addr = htonl(0x0a000200); /* 10.0.2.0/24 */
	nd->user.mask.s_addr = htonl(0xffffff00);
	if (nd->kind == NETDEV_BRIDGE)
		strcpy(nd->bridge, "br0");
}

/* The host, the first address for a guest and the name server: 2, 15 and 3, as in QEMU. */
static int complete_user(struct netdev_config *nd, const char *option)
{
	struct user_net_config *u = &nd->user;
	const struct {
		struct in_addr *address;
		u32 number;
		const char *key;
	} field[] = {
		{ &u->host, 2, "host" },
		{ &u->dhcp_start, 15, "dhcpstart" },
		{ &u->dns, 3, "dns" },
	};
	u32 last = ~ntohl(u->mask.s_addr);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(field); i++) {
		struct in_addr *a = field[i].address;
		/* A /28 has no address 15 to give away. */
		u32 number = field[i].number < last ? field[i].number : 4;

		if (!a->s_addr)
			a->s_addr = htonl(ntohl(u->net.s_addr) + number);
		number = ntohl(a->s_addr) & last;
		if ((a->s_addr & u->mask.s_addr) != u->net.s_addr || !number || number == last)
			return report("%s %s: %s= is no address in the network", option, nd->arg,
				      field[i].key);
	}
	return u->host.s_addr == u->dns.s_addr || u->host.s_addr == u->dhcp_start.s_addr ||
			       u->dns.s_addr == u->dhcp_start.s_addr ?
		       report("%s %s: host, dns and dhcpstart must differ", option, nd->arg) :
		       0;
}

int config_netdev_check(struct netdev_config *nd, const char *option)
{
	switch (nd->kind) {
	case NETDEV_TAP:
		if (nd->nr_fds && (*nd->ifname || *nd->bridge || nd->queues > 1))
			return report("%s %s: fd and fds go with neither ifname nor br nor queues",
				      option, nd->arg);
		return 0;
	case NETDEV_MACVTAP:
		return *nd->parent ? 0 :
				     report("%s %s: dev= is missing: the interface to sit on",
					    option, nd->arg);
	case NETDEV_STREAM:
		if (nd->address.sin_family == AF_UNIX && nd->path)
			return 0;
		if (nd->address.sin_family == AF_INET && nd->address.sin_port)
			return 0;
		return report(
			"%s %s: give addr.type=unix,addr.path= or addr.type=inet,addr.host=,addr.port=",
			option, nd->arg);
	case NETDEV_SOCKET:
		return nd->address.sin_port ?
			       0 :
			       report("%s %s: give listen=HOST:PORT or connect=HOST:PORT", option,
				      nd->arg);
	case NETDEV_USER:
		return complete_user(nd, option);
	default:
		return 0;
	}
}
