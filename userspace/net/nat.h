/* SPDX-License-Identifier: GPL-2.0 */
/*
 * NAT networks of the host: a bridge with an address, forwarding, masquerading and DHCP, made and
 * taken away as one thing.
 */
#ifndef MKVM_NET_NAT_H
#define MKVM_NET_NAT_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/types.h>

#include "types.h"

#define NAT_DIR		"/run/mkvm/net"

/**
 * struct nat - one network, as its file in NAT_DIR says
 * @name: of the network, and its bridge
 * @net: first address; the host has the one behind it
 * @mask: its mask
 * @forwarding: the host forwarded nothing before; whoever goes last switches it off again
 * @dhcp: it has a DHCP server
 */
struct nat {
	char name[IFNAMSIZ];
	struct in_addr net;
	struct in_addr mask;
	bool forwarding;
	bool dhcp;
};

/** nat_lock() - keep other processes from changing networks; a descriptor, or -1 after a report */
int nat_lock(void);

/** nat_unlock() - undo nat_lock(); removes the folder if no network is left */
void nat_unlock(int fd);

/** nat_load() - read a network's file; 0, -ENOENT if there is none, or another -errno */
int nat_load(struct nat *nat, const char *name);

/** nat_each() - call @fn for each network there is, in no order; stops when it gives false */
void nat_each(bool (*fn)(void *opaque, const struct nat *nat), void *opaque);

/**
 * nat_up() - make a network
 * @nat: name, net, mask and dhcp are set
 *
 * Return: 0, or -1 after a report; then nothing of it is left.
 */
int nat_up(struct nat *nat);

/** nat_down() - take a network away; 0, or -1 after a report of what could not be undone */
int nat_down(struct nat *nat);

/* nat_tools.c: the programs that do a part of it. 0, or -1 after a report. */

/** nat_tool_exists() - is a program of this name installed? */
bool nat_tool_exists(const char *name);

/** nat_masquerade() - let a network's addresses out, and answers in; @on: or not any more */
int nat_masquerade(const struct nat *nat, bool on);

/** nat_dhcp_start() - give addresses away on the network */
int nat_dhcp_start(const struct nat *nat);

/** nat_dhcp_stop() - not any more; harmless if none runs */
int nat_dhcp_stop(const struct nat *nat);

/** nat_path() - path of a network's file with this ending */
void nat_path(char path[64], const char *name, const char *ending);

#endif
