// SPDX-License-Identifier: GPL-2.0
/*
 * Macvtap: a guest's own address on an interface of the host. The interface is made here and goes
 * away when mkvm ends, however it ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/close_range.h>
#include <linux/if_tun.h>

#include "net/link.h"
#include "net/tap.h"
#include "report.h"

/**
 * struct macvtap - one of ours
 * @tap: its descriptors
 * @keeper: process that removes the interface once our end of @keeper_fd is closed
 * @keeper_fd: or -1
 */
struct macvtap {
	struct tap tap;
	pid_t keeper;
	int keeper_fd;
};

static void macvtap_close(struct net_backend *nb)
{
	struct macvtap *mv = (struct macvtap *)nb;
	pid_t keeper = mv->keeper;

	if (mv->keeper_fd >= 0)
		close(mv->keeper_fd);
	tap_close(nb);
	if (keeper > 0) {
		while (waitpid(keeper, NULL, 0) < 0 && errno == EINTR)
			;
	}
}

static const struct net_backend_ops macvtap_ops = {
	.recv = tap_recv,
	.send = tap_send,
	.poll_fd = tap_poll_fd,
	.set_offloads = tap_set_offloads,
	.set_queues = tap_set_queues,
	.close = macvtap_close,
};

/*
 * Waits for the end of file that tells that mkvm is gone, and removes the interface: mkvm itself
 * will have no privilege left by then, or no life.
 */
static void keep(int fd, int index)
{
	sigset_t all;
	char byte;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	setsid();
	prctl(PR_SET_NAME, "mkvm-macvtap");
	if (fd != 3) {
		dup2(fd, 3);
		fd = 3;
	}
	close_range(4, ~0U, 0);
	close_range(0, 2, 0);
	while (read(fd, &byte, 1) < 0 && errno == EINTR)
		;
	_exit(link_delete(index) ? 1 : 0);
}

static int start_keeper(struct macvtap *mv, int index, const char *arg)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return report("network %s: cannot make a socket pair: %s", arg, strerror(errno));
	mv->keeper = fork();
	if (mv->keeper == 0)
		keep(pair[1], index);
	close(pair[1]);
	mv->keeper_fd = pair[0];
	return mv->keeper < 0 ?
		       report("network %s: cannot start a process: %s", arg, strerror(errno)) :
		       0;
}

/* The device node appears when udev, or the kernel's devtmpfs, has made it. */
static int open_node(int index)
{
	struct timespec wait = { .tv_nsec = 10000000 };
	char path[32];
	int fd, tries;

	snprintf(path, sizeof(path), "/dev/tap%d", index);
	for (tries = 0; tries < 200; tries++) {
		fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
		if (fd >= 0 || (errno != ENOENT && errno != ENXIO))
			return fd;
		nanosleep(&wait, NULL);
	}
	return -1;
}

static int add_queue(struct tap *tap, int index, const struct netdev_config *nd)
{
	int fd = open_node(index);
	struct ifreq ifr;

	if (fd < 0)
		return report("network %s: cannot open /dev/tap%d: %s", nd->arg, index,
			      strerror(errno));
	memset(&ifr, 0, sizeof(ifr));
	ifr.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	if (nd->queues > 1)
		ifr.ifr_flags |= IFF_MULTI_QUEUE;
	if (ioctl(fd, TUNSETIFF, &ifr)) {
		close(fd);
		return report("network %s: macvtap with a header is not possible: %s", nd->arg,
			      strerror(errno));
	}
	return tap_add_fd(tap, fd, nd->arg);
}

static int make_interface(char *name, const struct netdev_config *nd, const u8 *mac)
{
	int index = link_add_macvtap(name, nd->parent, mac, nd->mode, nd->queues);

	switch (index) {
	case -ENODEV:
		return report("network %s: there is no interface %s", nd->arg, nd->parent);
	case -EPERM:
		return report("network %s: making a macvtap needs root, or CAP_NET_ADMIN", nd->arg);
	case -EOPNOTSUPP:
		return report("network %s: the host has no macvtap (modprobe macvtap)", nd->arg);
	case -EEXIST:
		return report("network %s: interface %s exists", nd->arg, name);
	case -EBUSY:
		return report(
			"network %s: %s is a port of a bridge, or taken by another macvtap in passthru mode",
			nd->arg, nd->parent);
	default:
		return index < 0 ? report("network %s: cannot make a macvtap on %s: %s", nd->arg,
					  nd->parent, strerror(-index)) :
				   index;
	}
}

struct net_backend *macvtap_open(const struct netdev_config *nd, const u8 *mac)
{
	struct macvtap *mv = calloc(1, sizeof(*mv));
	char name[IFNAMSIZ];
	unsigned int i;
	int index, err;

	if (!mv) {
		report("out of memory");
		return NULL;
	}
	memcpy(name, nd->ifname, sizeof(name));
	mv->keeper_fd = -1;
	mv->tap.nb.ops = &macvtap_ops;
	atomic_init(&mv->tap.nb.link_up, true);
	index = make_interface(name, nd, mac);
	if (index < 0)
		goto fail;
	err = start_keeper(mv, index, nd->arg);
	if (err && mv->keeper < 0)
		link_delete(index);
	for (i = 0; !err && i < nd->queues; i++)
		err = add_queue(&mv->tap, index, nd);
	if (err || tap_complete(&mv->tap, nd))
		goto fail;
	return &mv->tap.nb;
fail:
	macvtap_close(&mv->tap.nb);
	return NULL;
}
