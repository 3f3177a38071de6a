// SPDX-License-Identifier: GPL-2.0
/*
 * The one list of network back ends.
 */
#include "net/net.h"
#include "report.h"

struct net_backend *net_open(const struct netdev_config *nd, const u8 *mac)
{
	switch (nd->kind) {
	case NETDEV_USER:
		return user_net_open(nd);
	case NETDEV_TAP:
	case NETDEV_BRIDGE:
		return tap_open(nd);
	case NETDEV_MACVTAP:
		return macvtap_open(nd, mac);
	case NETDEV_STREAM:
	case NETDEV_SOCKET:
		return stream_open(nd);
	default:
		report("network %s: this kind is not built in", nd->arg);
		return NULL;
	}
}
