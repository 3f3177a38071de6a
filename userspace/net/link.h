/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The host's network interfaces: what mkvm asks the kernel about them and changes on them.
 *
 * Functions that return int give 0 or -errno, and report nothing.
 */
#ifndef MKVM_NET_LINK_H
#define MKVM_NET_LINK_H

#include <net/if.h>
#include <netinet/in.h>

#include "types.h"

/** link_exists() - is there an interface of this name? */
bool link_exists(const char *name);

/** link_is_bridge() - is it a bridge? */
bool link_is_bridge(const char *name);

/** link_mtu() - its MTU, or 0 if it has none or is gone */
unsigned int link_mtu(const char *name);

/** link_set_mtu() - change it */
int link_set_mtu(const char *name, unsigned int mtu);

/** link_set_up() - switch an interface on or off */
int link_set_up(const char *name, bool up);

/** link_is_up() - was it switched on? */
bool link_is_up(const char *name);

/** link_set_mac() - change the interface's own address, 6 bytes */
int link_set_mac(const char *name, const u8 *mac);

/** link_get_mac() - read it */
int link_get_mac(const char *name, u8 *mac);

/**
 * link_has_address_in() - does the host have an address in a network, or a network around it?
 * @net: first address
 * @mask: its mask
 * @name: NULL, or set to the interface's name, IFNAMSIZ bytes
 */
bool link_has_address_in(struct in_addr net, struct in_addr mask, char *name);

/** link_set_address() - give the interface an IPv4 address */
int link_set_address(const char *name, struct in_addr address, struct in_addr mask);

/** link_add_bridge() - make a bridge; likewise link_delete_bridge(), which must be down */
int link_add_bridge(const char *name);
int link_delete_bridge(const char *name);

/** link_join_bridge() - make an interface a port of a bridge */
int link_join_bridge(const char *bridge, const char *name);

/**
 * link_add_macvtap() - make a macvtap interface and switch it on
 * @name: wanted name, or "" for one the kernel chooses; set to what it became, IFNAMSIZ bytes
 * @parent: interface it sits on
 * @mac: its address
 * @mode: enum macvlan_mode
 * @queues: queues it may have
 *
 * Return: its index, or -errno.
 */
int link_add_macvtap(char *name, const char *parent, const u8 *mac, u32 mode, unsigned int queues);

/** link_delete() - remove an interface by index */
int link_delete(int index);

#endif
