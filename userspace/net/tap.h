/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What tap and macvtap descriptors have in common: frames with a header, by readv and writev.
 */
#ifndef MKVM_NET_TAP_H
#define MKVM_NET_TAP_H

#include "net/net.h"

/**
 * struct tap - an open tap or macvtap
 * @nb: the back end
 * @fd: a descriptor for each queue
 * @has_header: the descriptors carry the header; else frames come and go without one
 * @ifname: the interface, or "" if that cannot be told
 */
struct tap {
	struct net_backend nb;
	int fd[MAX_NET_QUEUES];
	bool has_header;
	char ifname[IFNAMSIZ];
};

/** tap_new() - a tap without descriptors, or NULL after a report */
struct tap *tap_new(void);

/**
 * tap_add_fd() - take over a descriptor as the next queue, and set it up
 * @tap: the tap
 * @fd: closed with the tap, from here on, whatever the result
 * @arg: the option, for messages
 *
 * Return: 0, or -1 after a report.
 */
int tap_add_fd(struct tap *tap, int fd, const char *arg);

/**
 * tap_complete() - all descriptors were added: ask the kernel what it can do, and open vhost-net if
 *	that is asked for
 * @tap: the tap
 * @nd: the option
 *
 * Return: 0, or -1 after a report.
 */
int tap_complete(struct tap *tap, const struct netdev_config *nd);

/* What struct net_backend_ops of both kinds point to. */
ssize_t tap_recv(struct net_backend *nb, unsigned int queue, struct iovec *iov, unsigned int nr);
int tap_send(struct net_backend *nb, unsigned int queue, struct iovec *iov, unsigned int nr);
int tap_poll_fd(struct net_backend *nb, unsigned int queue);
int tap_set_offloads(struct net_backend *nb, u64 features);
int tap_set_queues(struct net_backend *nb, unsigned int n);
void tap_close(struct net_backend *nb);

#endif
