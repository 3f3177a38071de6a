// SPDX-License-Identifier: GPL-2.0
/*
 * The host's network interfaces, by ioctl where there is one and by rtnetlink where there is none.
 *
 * Source: netdevice(7), rtnetlink(7).
 */
#include <errno.h>
#include <ifaddrs.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>

#include "net/link.h"

static int link_ioctl(unsigned long request, void *arg)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int ret;

	if (fd < 0)
		return -errno;
	ret = ioctl(fd, request, arg) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

static struct ifreq named(const char *name)
{
	struct ifreq ifr;

	memset(&ifr, 0, sizeof(ifr));
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	return ifr;
}

bool link_exists(const char *name)
{
	return if_nametoindex(name) != 0;
}

bool link_is_bridge(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/class/net/%s/bridge", name);
	return !access(path, F_OK);
}

unsigned int link_mtu(const char *name)
{
	struct ifreq ifr = named(name);

	return link_ioctl(SIOCGIFMTU, &ifr) ? 0 : (unsigned int)ifr.ifr_mtu;
}

int link_set_mtu(const char *name, unsigned int mtu)
{
	struct ifreq ifr = named(name);

	ifr.ifr_mtu = (int)mtu;
	return link_ioctl(SIOCSIFMTU, &ifr);
}

bool link_is_up(const char *name)
{
	struct ifreq ifr = named(name);

	return !link_ioctl(SIOCGIFFLAGS, &ifr) && (ifr.ifr_flags & IFF_UP);
}

int link_set_up(const char *name, bool up)
{
	struct ifreq ifr = named(name);
	int ret = link_ioctl(SIOCGIFFLAGS, &ifr);

	if (ret)
		return ret;
	if (up)
		ifr.ifr_flags |= IFF_UP;
	else
		ifr.ifr_flags &= (short)~IFF_UP;
	return link_ioctl(SIOCSIFFLAGS, &ifr);
}

int link_set_mac(const char *name, const u8 *mac)
{
	struct ifreq ifr = named(name);

	ifr.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(ifr.ifr_hwaddr.sa_data, mac, 6);
	return link_ioctl(SIOCSIFHWADDR, &ifr);
}

int link_get_mac(const char *name, u8 *mac)
{
	struct ifreq ifr = named(name);
	int ret = link_ioctl(SIOCGIFHWADDR, &ifr);

	if (!ret)
		memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
	return ret;
}

bool link_has_address_in(struct in_addr net, struct in_addr mask, char *name)
{
	struct ifaddrs *list, *a;
	bool found = false;

	if (getifaddrs(&list))
		return false;
	for (a = list; a && !found; a = a->ifa_next) {
		const struct sockaddr_in *address = (void *)a->ifa_addr,
					 *other = (void *)a->ifa_netmask;

		if (!address || address->sin_family != AF_INET || !other)
			continue;
		found = !((address->sin_addr.s_addr ^ net.s_addr) & mask.s_addr &
			  other->sin_addr.s_addr);
		if (found && name)
			snprintf(name, IFNAMSIZ, "%s", a->ifa_name);
	}
	freeifaddrs(list);
	return found;
}

int link_set_address(const char *name, struct in_addr address, struct in_addr mask)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr = address };
	struct ifreq ifr = named(name);
	int ret;

	memcpy(&ifr.ifr_addr, &sin, sizeof(sin));
	ret = link_ioctl(SIOCSIFADDR, &ifr);
	if (ret)
		return ret;
	sin.sin_addr = mask;
	memcpy(&ifr.ifr_netmask, &sin, sizeof(sin));
	ret = link_ioctl(SIOCSIFNETMASK, &ifr);
	if (ret)
		return ret;
	sin.sin_addr.s_addr = address.s_addr | ~mask.s_addr;
	memcpy(&ifr.ifr_broadaddr, &sin, sizeof(sin));
	return link_ioctl(SIOCSIFBRDADDR, &ifr);
}

int link_add_bridge(const char *name)
{
	char arg[IFNAMSIZ];

	snprintf(arg, sizeof(arg), "%s", name);
	return link_ioctl(SIOCBRADDBR, arg);
}

int link_delete_bridge(const char *name)
{
	char arg[IFNAMSIZ];

	snprintf(arg, sizeof(arg), "%s", name);
	return link_ioctl(SIOCBRDELBR, arg);
}

int link_join_bridge(const char *bridge, const char *name)
{
	struct ifreq ifr = named(bridge);

	ifr.ifr_ifindex = (int)if_nametoindex(name);
	return ifr.ifr_ifindex ? link_ioctl(SIOCBRADDIF, &ifr) : -ENODEV;
}

/* A request of rtnetlink: header, interface, attributes. */
struct link_request {
	struct nlmsghdr nh;
	struct ifinfomsg info;
	u8 attributes[256];
};

static struct rtattr *add_attribute(struct link_request *r, u16 type, const void *data, size_t len)
{
	struct rtattr *a = (void *)((u8 *)r + NLMSG_ALIGN(r->nh.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (u16)RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(a), data, len);
	r->nh.nlmsg_len = NLMSG_ALIGN(r->nh.nlmsg_len) + (u32)RTA_ALIGN(a->rta_len);
	return a;
}

/* What was added since belongs into @nest. */
static void end_nest(struct link_request *r, struct rtattr *nest)
{
	nest->rta_len = (u16)((u8 *)r + r->nh.nlmsg_len - (u8 *)nest);
}

/* Send a request and wait for the kernel's verdict. */
static int transact(struct link_request *r)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	union {
		struct nlmsghdr nh;
		u8 bytes[4096];
	} answer;
	struct nlmsgerr *verdict = NLMSG_DATA(&answer.nh);
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	ssize_t len = -1;

	if (fd < 0)
		return -errno;
	r->nh.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	if (sendto(fd, r, r->nh.nlmsg_len, 0, (void *)&kernel, sizeof(kernel)) >= 0)
		len = recv(fd, &answer, sizeof(answer), 0);
	if (len < 0) {
		len = -errno;
		close(fd);
		return (int)len;
	}
	close(fd);
	if ((size_t)len < NLMSG_LENGTH(sizeof(*verdict)) || answer.nh.nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	return verdict->error;
}

/* The lowest number that makes a new name, as the kernel would do it. */
static int choose_name(char *name)
{
	unsigned int i;

	for (i = 0; i < 4096; i++) {
		snprintf(name, IFNAMSIZ, "macvtap%u", i);
		if (!link_exists(name))
			return 0;
	}
	return -ENFILE;
}

int link_add_macvtap(char *name, const char *parent, const u8 *mac, u32 mode, unsigned int queues)
{
	struct link_request r = {
		.nh = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
			.nlmsg_type = RTM_NEWLINK,
			.nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL },
		.info = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP },
	};
	u32 below = if_nametoindex(parent), nr = queues;
	struct rtattr *info, *data;
	int ret;

	if (!below)
		return -ENODEV;
	if (!*name && choose_name(name))
		return -ENFILE;
	add_attribute(&r, IFLA_IFNAME, name, strlen(name) + 1);
	add_attribute(&r, IFLA_LINK, &below, sizeof(below));
	add_attribute(&r, IFLA_ADDRESS, mac, 6);
	add_attribute(&r, IFLA_NUM_TX_QUEUES, &nr, sizeof(nr));
	add_attribute(&r, IFLA_NUM_RX_QUEUES, &nr, sizeof(nr));
	info = add_attribute(&r, IFLA_LINKINFO, NULL, 0);
	add_attribute(&r, IFLA_INFO_KIND, "macvtap", sizeof("macvtap"));
	data = add_attribute(&r, IFLA_INFO_DATA, NULL, 0);
	add_attribute(&r, IFLA_MACVLAN_MODE, &mode, sizeof(mode));
	end_nest(&r, data);
	end_nest(&r, info);
	ret = transact(&r);
	return ret ? ret : (int)if_nametoindex(name);
}

int link_delete(int index)
{
	struct link_request r = {
		.nh = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
			.nlmsg_type = RTM_DELLINK },
		.info = { .ifi_index = index },
	};

	return transact(&r);
}
