// SPDX-License-Identifier: GPL-2.0
/*
 * Network devices whose frames the host's vhost-net moves: who has which pair of queues, and where
 * eventfds lead. One thread serves the control queue and hands pairs over to the kernel.
 *
 * A pair is the kernel's while the driver uses it and the machine is not paused. The thread starts
 * pairs; whoever resets or pauses stops them. Both do so with the locks of the pair's two queues
 * held, the receive queue's first.
 *
 * Notifications: the accelerator signals an eventfd per queue. Of a pair that is the kernel's the
 * kernel waits for it, otherwise the thread does. Interrupts: the kernel signals an eventfd per
 * queue, which the accelerator takes if the queue has an MSI-X vector that is not masked, otherwise
 * the thread (virtio_transport.event_is_direct).
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "machine.h"
#include "net/vhost.h"
#include "report.h"
#include "sandbox.h"
#include "thread.h"
#include "virtio/net.h"

#define MAX_QUEUES (2 * MAX_NET_QUEUES + 1)

static_assert(VHOST_RX == 0 && VHOST_TX == 1, "as in a virtio pair");

/**
 * struct net_vhost - what a device has with vhost-net besides its other things
 * @kick: eventfd of each queue's notifications; those of the control queue are never the kernel's
 * @call: eventfd of each queue's interrupts, the transport's
 * @error_fd: eventfd: the driver broke the rules
 * @started: @thread exists
 * @thread: started and ended by the main thread
 * @paused: the kernel shall have no pair
 * @told: errors were reported
 * @running: the pair is the kernel's; written with the locks of its queues held
 * @forwarded: interrupts that the thread had to raise
 */
struct net_vhost {
	int kick[MAX_QUEUES];
	int call[MAX_QUEUES];
	int error_fd;
	bool started;
	pthread_t thread;
	atomic_bool paused;
	bool told;
	atomic_bool running[MAX_NET_QUEUES];
	_Atomic u64 forwarded;
};

/* Take all events of an eventfd. False if there were none. */
static bool drain(int fd)
{
	u64 n;

	return read(fd, &n, sizeof(n)) == sizeof(n);
}

static void signal_event(int fd)
{
	u64 one = 1;

	if (write(fd, &one, sizeof(one)) < 0)
		return;
}

/* ---- pairs ------------------------------------------------------------------------------------ */

static void lock_pair(struct virtio_net *vn, unsigned int pair)
{
	pthread_mutex_lock(&vn->dev.queue[2 * pair].lock);
	pthread_mutex_lock(&vn->dev.queue[2 * pair + 1].lock);
}

static void unlock_pair(struct virtio_net *vn, unsigned int pair)
{
	pthread_mutex_unlock(&vn->dev.queue[2 * pair + 1].lock);
	pthread_mutex_unlock(&vn->dev.queue[2 * pair].lock);
}

/* Shall the kernel have the pair? Called with its locks held. */
static bool wanted(struct virtio_net *vn, unsigned int pair)
{
	const struct virtqueue *vq = &vn->dev.queue[2 * pair];

	return virtio_running(&vn->dev) && atomic_load(&vn->configured) &&
	       pair < atomic_load(&vn->active) && !atomic_load(&vn->vhost->paused) &&
	       vq[0].enabled && !vq[0].stopped && vq[1].enabled && !vq[1].stopped;
}

/* Called with the pair's locks held, as is stop_pair(). */
static void start_pair(struct virtio_net *vn, unsigned int pair)
{
	const struct virtqueue *vq = &vn->dev.queue[2 * pair];
	struct vhost_ring ring[VHOST_QUEUES];
	unsigned int i;
	int err;

	for (i = 0; i < VHOST_QUEUES; i++)
		ring[i] = (struct vhost_ring){
			.size = vq[i].size,
			.base = vq[i].last_avail,
			.desc = vq[i].desc,
			.avail = vq[i].avail,
			.used = vq[i].used,
		};
	err = vhost_start(vn->nb->vhost, pair, vn->dev.accepted, ring,
			  vn->nb->ops->poll_fd(vn->nb, pair));
	if (err) {
		report("network %s: vhost-net refuses the queues: %s", vn->netdev->arg,
		       strerror(-err));
		virtio_fail(&vn->dev);
		return;
	}
	atomic_store(&vn->vhost->running[pair], true);
	/* What the driver has added before is news to the kernel. */
	for (i = 0; i < VHOST_QUEUES; i++)
		signal_event(vn->vhost->kick[2 * pair + i]);
}

static void stop_pair(struct virtio_net *vn, unsigned int pair)
{
	struct virtqueue *vq = &vn->dev.queue[2 * pair];
	u16 base[VHOST_QUEUES];
	unsigned int i;

	if (!atomic_load(&vn->vhost->running[pair]))
		return;
	vhost_stop(vn->nb->vhost, pair, base);
	for (i = 0; i < VHOST_QUEUES; i++)
		vq[i].last_avail = base[i];
	atomic_store(&vn->vhost->running[pair], false);
}

static void stop_all(struct virtio_net *vn)
{
	unsigned int i;

	for (i = 0; i < vn->nr_pairs; i++) {
		lock_pair(vn, i);
		stop_pair(vn, i);
		unlock_pair(vn, i);
	}
	/* It waits for other eventfds now. */
	net_kick(&vn->pair[0]);
}

/* Something has changed: give the kernel the pairs it shall have, and take others back. */
static void update_pairs(struct virtio_net *vn)
{
	unsigned int i;

	for (i = 0; i < vn->nr_pairs; i++) {
		lock_pair(vn, i);
		if (!wanted(vn, i))
			stop_pair(vn, i);
		else if (!atomic_load(&vn->vhost->running[i]))
			start_pair(vn, i);
		unlock_pair(vn, i);
	}
}

/* ---- the thread ------------------------------------------------------------------------------- */

static void forward_interrupt(struct virtio_net *vn, unsigned int queue)
{
	struct virtio_dev *dev = &vn->dev;
	struct virtqueue *vq = &dev->queue[queue];

	if (!drain(vn->vhost->call[queue]))
		return;
	/* Also if the pair was taken back meanwhile: what the kernel gave back is to be told. */
	pthread_mutex_lock(&vq->lock);
	if (vq->enabled && !vq->stopped) {
		atomic_fetch_add(&vn->vhost->forwarded, 1);
		dev->transport->queue_interrupt(dev->transport_opaque, queue);
	}
	pthread_mutex_unlock(&vq->lock);
}

/* The lock keeps a reset away, which takes back what was signalled before. */
static void handle_error(struct virtio_net *vn)
{
	struct virtqueue *vq = &vn->dev.queue[0];

	pthread_mutex_lock(&vq->lock);
	if (drain(vn->vhost->error_fd) && virtio_running(&vn->dev)) {
		/* Once, as the guest can have it at will. */
		if (!vn->vhost->told)
			report("network %s: vhost-net finds the guest's queues broken; "
			       "the device works again after a reset", vn->netdev->arg);
		vn->vhost->told = true;
		virtio_fail(&vn->dev);
	}
	pthread_mutex_unlock(&vq->lock);
}

static void wait_for_work(struct virtio_net *vn)
{
	struct net_vhost *nv = vn->vhost;
	struct virtio_dev *dev = &vn->dev;
	struct pollfd p[2 + MAX_QUEUES];
	int call_of[2 + MAX_QUEUES];
	unsigned int n = 0, i;

	p[n++] = (struct pollfd){ .fd = vn->pair[0].kick_fd, .events = POLLIN };
	p[n++] = (struct pollfd){ .fd = nv->error_fd, .events = POLLIN };
	for (i = 0; i < dev->nr_queues; i++) {
		bool kernel = i / 2 < vn->nr_pairs && atomic_load(&nv->running[i / 2]);

		if (kernel && dev->transport->event_is_direct(dev->transport_opaque, i))
			continue;
		call_of[n] = kernel ? (int)i : -1;
		p[n++] = (struct pollfd){ .fd = kernel ? nv->call[i] : nv->kick[i],
					  .events = POLLIN };
	}
	if (poll(p, n, -1) < 0)
		return;
	if (p[0].revents)
		drain(p[0].fd);
	if (p[1].revents)
		handle_error(vn);
	for (i = 2; i < n; i++) {
		if (!p[i].revents)
			continue;
		if (call_of[i] >= 0)
			forward_interrupt(vn, (unsigned int)call_of[i]);
		else
			drain(p[i].fd);
	}
}

static void *vhost_thread(void *opaque)
{
	struct virtio_net *vn = opaque;

	sandbox_thread(SANDBOX_NET);
	while (!atomic_load(&vn->quit)) {
		net_update_link(vn);
		if (virtio_running(&vn->dev) && !atomic_load(&vn->configured))
			net_configure(vn);
		if (virtio_running(&vn->dev) && atomic_load(&vn->configured))
			net_control(vn);
		update_pairs(vn);
		wait_for_work(vn);
	}
	return NULL;
}

/* ---- the device's side ------------------------------------------------------------------------ */

int net_vhost_create(struct virtio_net *vn)
{
	struct net_vhost *nv = calloc(1, sizeof(*nv));
	unsigned int i;
	bool ok;

	if (!nv)
		return report("out of memory");
	vn->vhost = nv;
	nv->error_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ok = nv->error_fd >= 0;
	for (i = 0; i < MAX_QUEUES; i++) {
		nv->kick[i] = -1;
		if (i < vn->dev.nr_queues)
			nv->kick[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		ok = ok && (i >= vn->dev.nr_queues || nv->kick[i] >= 0);
	}
	for (i = 0; i < 2 * vn->nr_pairs; i++) {
		nv->call[i] = vn->dev.transport->event_fd(vn->dev.transport_opaque, i);
		ok = ok && nv->call[i] >= 0;
	}
	return ok ? 0 : report("network %s: too many eventfds", vn->netdev->arg);
}

int net_vhost_start(struct virtio_net *vn)
{
	struct net_vhost *nv = vn->vhost;
	char name[16];
	unsigned int i;
	int err;

	for (i = 0; i < vn->nr_pairs; i++) {
		if (vhost_set_up(vn->nb->vhost, i, vn->dev.queue[0].mem, &nv->kick[2 * i],
				 &nv->call[2 * i], nv->error_fd))
			return -1;
	}
	snprintf(name, sizeof(name), "net%u", vn->number);
	err = thread_create(&nv->thread, name, vhost_thread, vn);
	if (err)
		return report("cannot start a network thread: %s", strerror(err));
	nv->started = true;
	return 0;
}

int net_vhost_notify_fd(const struct virtio_net *vn, unsigned int queue)
{
	return vn->vhost->kick[queue];
}

void net_vhost_stop(struct virtio_net *vn)
{
	unsigned int i;

	stop_all(vn);
	pthread_mutex_lock(&vn->dev.queue[0].lock);
	drain(vn->vhost->error_fd);
	pthread_mutex_unlock(&vn->dev.queue[0].lock);
	for (i = 0; i < 2 * vn->nr_pairs; i++)
		drain(vn->vhost->call[i]);
}

void net_vhost_pause(struct virtio_net *vn, bool pause)
{
	atomic_store(&vn->vhost->paused, pause);
	if (pause)
		stop_all(vn);
	else
		net_kick(&vn->pair[0]);
}

void net_vhost_stats(struct virtio_net *vn, struct device_stats *s)
{
	unsigned int i, n = 0;

	for (i = 0; i < vn->nr_pairs; i++)
		n += atomic_load(&vn->vhost->running[i]) ? VHOST_QUEUES : 0;
	device_stats_add(s, "vhost_queues", n);
	device_stats_add(s, "vhost_forwarded_interrupts", atomic_load(&vn->vhost->forwarded));
}

void net_vhost_destroy(struct virtio_net *vn)
{
	struct net_vhost *nv = vn->vhost;
	unsigned int i;

	atomic_store(&vn->quit, true);
	if (nv->started) {
		net_kick(&vn->pair[0]);
		pthread_join(nv->thread, NULL);
	}
	stop_all(vn);
	for (i = 0; i < MAX_QUEUES; i++) {
		if (nv->kick[i] >= 0)
			close(nv->kick[i]);
	}
	if (nv->error_fd >= 0)
		close(nv->error_fd);
	free(nv);
	vn->vhost = NULL;
}
