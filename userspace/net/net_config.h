/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the user asked for by -netdev, -nic, -net and -device virtio-net-pci, as structures.
 */
#ifndef MKVM_NET_NET_CONFIG_H
#define MKVM_NET_NET_CONFIG_H

#include <net/if.h>
#include <netinet/in.h>

#include "types.h"

#define MAX_NETS		8
#define MAX_NET_QUEUES		8	/* pairs of one device */
#define MAX_HOSTFWDS		32
#define MAC_LEN			6
#define NET_MTU_MIN		68
#define NET_MTU_MAX		65521	/* what fits into the largest frame of a tap */

enum netdev_kind {
	NETDEV_USER,
	NETDEV_TAP,
	NETDEV_BRIDGE,
	NETDEV_MACVTAP,
	NETDEV_STREAM,
	NETDEV_SOCKET,
	NETDEV_KINDS,
};

/** netdev_kind_name() - as in `-netdev KIND` */
const char *netdev_kind_name(enum netdev_kind kind);

/** struct hostfwd - a port of the host that leads into a user network; host byte order */
struct hostfwd {
	bool udp;
	struct in_addr host;
	u16 host_port;
	struct in_addr guest;	/* 0: the guest's first address */
	u16 guest_port;
};

/**
 * struct user_net_config - a user network; an address that is 0 is chosen from @net
 * @net: first address of the network
 * @mask: its mask
 * @host: the host, as the guest sees it
 * @dhcp_start: first of the addresses that DHCP gives away
 * @dns: the name server, as the guest sees it
 * @hostname: what DHCP tells the guest its name is, or NULL
 * @restricted: nothing gets out but through @fwd
 * @fwd: forwarded ports
 * @nr_fwds: entries of @fwd
 */
struct user_net_config {
	struct in_addr net, mask, host, dhcp_start, dns;
	char *hostname;
	bool restricted;
	struct hostfwd fwd[MAX_HOSTFWDS];
	unsigned int nr_fwds;
};

/**
 * struct netdev_config - one back end; owns its strings
 * @kind: which
 * @id: its name, unique
 * @arg: the option it came from, for messages
 * @used: a device refers to it
 * @ifname: interface to make or to open, "" to let the kernel choose
 * @bridge: bridge to join, or ""
 * @parent: interface below a macvtap
 * @mode: enum macvlan_mode of it
 * @fd: open descriptors of a tap or macvtap, one for each queue pair
 * @nr_fds: entries of @fd
 * @queues: queue pairs of a tap that is to be opened
 * @vhost: leave the frames of a tap or macvtap to the host's vhost-net
 * @server: wait for the peer, instead of connecting to it
 * @path: socket of the peer in the file system, or NULL
 * @address: of a peer by TCP
 * @user: of a user network
 */
struct netdev_config {
	enum netdev_kind kind;
	char *id;
	char *arg;
	bool used;
	char ifname[IFNAMSIZ];
	char bridge[IFNAMSIZ];
	char parent[IFNAMSIZ];
	u32 mode;
	int fd[MAX_NET_QUEUES];
	unsigned int nr_fds;
	unsigned int queues;
	bool vhost;
	bool server;
	char *path;
	struct sockaddr_in address;
	struct user_net_config user;
};

/**
 * struct nic_config - one virtio-net device
 * @backend: index of its back end
 * @mac: its address
 * @single: one queue pair, even if the back end has more
 * @mtu: what the guest is told its MTU is; 0: what the back end's is
 */
struct nic_config {
	unsigned int backend;
	u8 mac[MAC_LEN];
	bool single;
	u16 mtu;
};

/**
 * struct net_config - all of them
 * @netdev: back ends
 * @nr_netdevs: entries of @netdev
 * @nic: devices; complete when all options were read
 * @nr_nics: entries of @nic
 * @hub_nic: there was an old -net option for a device
 * @hub_netdev: likewise for a back end
 */
struct net_config {
	struct netdev_config netdev[MAX_NETS];
	unsigned int nr_netdevs;
	struct nic_config nic[MAX_NETS];
	unsigned int nr_nics;
	bool hub_nic;
	bool hub_netdev;
};

#endif
