// SPDX-License-Identifier: GPL-2.0
/*
 * Virtio consoles: one port, between a stream and /dev/hvc0. Output is written by the device's
 * thread, input is put into the driver's buffers by the main thread.
 *
 * Source: Virtual I/O Device (VIRTIO) Version 1.2, "Console Device".
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chardev.h"
#include "config_parse.h"
#include "machine.h"
#include "report.h"
#include "types.h"
#include "virtio/console.h"
#include "virtio/device.h"
#include "virtio/pci.h"
#include "virtio/worker.h"

#define CONSOLE_TYPE	3
#define CLASS_COMM	0x078000	/* simple communication, other */
#define QUEUE_SIZE	64

enum { QUEUE_RX, QUEUE_TX, NR_QUEUES };

/**
 * struct virtio_console - one console
 * @rx: the buffer input goes to next, valid if @have_rx; guarded by the input queue's lock
 * @have_rx: it was taken from the queue; likewise
 * @tx: the request in work; thread only
 */
struct virtio_console {
	struct virtio_dev dev;
	struct virtio_pci *pci;
	struct virtio_worker worker;
	struct chardev *chr;
	bool have_rx;
	struct virtq_chain rx;
	struct virtq_chain tx;
};

/* ---- output --------------------------------------------------------------------------------- */

static int drain(struct virtio_console *con)
{
	struct virtqueue *vq = &con->dev.queue[QUEUE_TX];
	unsigned int i;
	int ret;

	do {
		virtqueue_quiet(vq);
		while ((ret = virtqueue_pop(vq, &con->tx)) > 0) {
			for (i = 0; i < con->tx.nr_out; i++)
				chardev_send(con->chr, con->tx.iov[i].iov_base,
					     con->tx.iov[i].iov_len);
			virtqueue_push(vq, con->tx.head, 0);
		}
		virtio_interrupt_queue(&con->dev, QUEUE_TX);
		if (ret < 0) {
			virtio_fail(&con->dev);
			break;
		}
	} while (virtqueue_rearm(vq));
	return -1;
}

static int console_serve(void *opaque)
{
	struct virtio_console *con = opaque;
	struct virtqueue *vq = &con->dev.queue[QUEUE_TX];

	pthread_mutex_lock(&vq->lock);
	if (virtio_running(&con->dev))
		drain(con);
	pthread_mutex_unlock(&vq->lock);
	return -1;
}

/* ---- input ---------------------------------------------------------------------------------- */

/* Take the next buffer, if there is one. Called with the queue's lock held. */
static void next_buffer(struct virtio_console *con)
{
	struct virtqueue *vq = &con->dev.queue[QUEUE_RX];
	int ret;

	if (con->have_rx || !virtio_running(&con->dev))
		return;
	do {
		ret = virtqueue_pop(vq, &con->rx);
	} while (!ret && virtqueue_rearm(vq));
	if (ret < 0 || (ret > 0 && (con->rx.out_len || !con->rx.in_len)))
		virtio_fail(&con->dev);
	else
		con->have_rx = ret > 0;
}

static size_t console_room(void *opaque)
{
	struct virtio_console *con = opaque;
	struct virtqueue *vq = &con->dev.queue[QUEUE_RX];
	size_t room;

	pthread_mutex_lock(&vq->lock);
	next_buffer(con);
	room = con->have_rx ? con->rx.in_len : 0;
	pthread_mutex_unlock(&vq->lock);
	return room;
}

static void console_receive(void *opaque, const u8 *data, size_t len)
{
	struct virtio_console *con = opaque;
	struct virtqueue *vq = &con->dev.queue[QUEUE_RX];

	pthread_mutex_lock(&vq->lock);
	/* A reset since console_room() was called takes the input along. */
	if (con->have_rx) {
		con->have_rx = false;
		virtqueue_push(vq, con->rx.head, (u32)virtq_write(&con->rx, 0, data, len));
		virtio_interrupt_queue(&con->dev, QUEUE_RX);
	}
	pthread_mutex_unlock(&vq->lock);
}

static const struct chardev_frontend console_frontend = {
	.room = console_room, .receive = console_receive,
};

/* ---- the device ----------------------------------------------------------------------------- */

static void console_notify(void *opaque, unsigned int queue)
{
	struct virtio_console *con = opaque;

	if (queue == QUEUE_TX)
		virtio_worker_kick(&con->worker);
	else if (chardev_has_input(con->chr))
		chardev_kick(con->chr);
}

static int console_notify_fd(void *opaque, unsigned int queue)
{
	struct virtio_console *con = opaque;

	return queue == QUEUE_TX ? con->worker.kick_fd : -1;
}

/* The buffer that was taken belongs to the driver again. */
static void console_stop(void *opaque)
{
	struct virtio_console *con = opaque;
	struct virtqueue *vq = &con->dev.queue[QUEUE_RX];

	pthread_mutex_lock(&vq->lock);
	con->have_rx = false;
	pthread_mutex_unlock(&vq->lock);
}

static const struct virtio_ops console_ops = {
	.notify = console_notify, .notify_fd = console_notify_fd, .stop = console_stop,
};

static int console_start(void *opaque)
{
	struct virtio_console *con = opaque;

	return virtio_worker_start(&con->worker);
}

static void console_reset(void *opaque)
{
	struct virtio_console *con = opaque;

	virtio_pci_reset(con->pci);
}

static void console_destroy(void *opaque)
{
	struct virtio_console *con = opaque;

	virtio_worker_end(&con->worker);
	virtio_pci_destroy(con->pci);
	free(con);
}

static const struct device_ops console_device_ops = {
	.start = console_start, .reset = console_reset, .destroy = console_destroy,
};

static int console_create(struct machine *m, const struct device_config *cfg)
{
	struct virtio_console *con;

	if (!cfg->port)
		return device_report(cfg, "nothing is plugged in; add -device virtconsole,chardev=ID");
	con = calloc(1, sizeof(*con));
	if (!con)
		return report("out of memory");
	con->chr = m->chardev[cfg->port - 1];
	con->worker = (struct virtio_worker){
		.name = "console", .serve = console_serve, .opaque = con, .kick_fd = -1,
	};
	con->dev.type = CONSOLE_TYPE;
	con->dev.nr_queues = NR_QUEUES;
	con->dev.ops = &console_ops;
	con->dev.opaque = con;
	virtio_init(&con->dev, &m->mem, QUEUE_SIZE);
	if (!virtio_worker_init(&con->worker))
		con->pci = virtio_pci_create(m, &con->dev, CLASS_COMM);
	if (!con->pci || machine_add_device(m, &console_device_ops, con)) {
		console_destroy(con);
		return -1;
	}
	chardev_attach(con->chr, &console_frontend, con);
	return 0;
}

/* ---- options -------------------------------------------------------------------------------- */

static int serial_check(struct config *cfg, struct device_config *dev)
{
	u64 ports;

	(void)cfg;
	return device_number(dev, "max_ports", 1, 31, &ports);
}

/* The device a console is plugged into: the one its bus= names, or the first that is free. */
static struct device_config *find_bus(struct config *cfg, const struct device_config *dev)
{
	const char *bus = device_value(dev, "bus");
	unsigned int i;
	char name[80];

	for (i = 0; i < cfg->nr_devices && &cfg->device[i] != dev; i++) {
		struct device_config *d = &cfg->device[i];

		if (d->model != &virtio_serial_model)
			continue;
		snprintf(name, sizeof(name), "%s.0", d->id ? d->id : "");
		if (bus ? !strcmp(bus, name) : !d->port)
			return d;
	}
	return NULL;
}

static int virtconsole_check(struct config *cfg, struct device_config *dev)
{
	const char *id = device_value(dev, "chardev");
	struct device_config *serial = find_bus(cfg, dev);
	struct chardev_config *c;
	u64 nr = 0;

	if (device_number(dev, "nr", 0, 0, &nr))
		return -1;
	if (!id)
		return device_report(dev, "chardev= is missing");
	if (!serial)
		return device_report(dev, "there is no -device virtio-serial-pci before it to plug it "
				     "into");
	if (serial->port)
		return device_report(dev, "a virtio-serial-pci has one port; add another one");
	c = config_take_chardev(cfg, "-device virtconsole", id);
	if (!c)
		return -1;
	serial->port = (unsigned int)(c - cfg->chardev) + 1;
	return 0;
}

static const char *const serial_keys[] = { "max_ports", "vectors", NULL };
static const char *const virtconsole_keys[] = { "chardev", "bus", "name", "nr", NULL };

const struct device_model virtio_serial_model = {
	.name = "virtio-serial-pci", .keys = serial_keys, .check = serial_check,
	.create = console_create,
};

const struct device_model virtconsole_model = {
	.name = "virtconsole", .keys = virtconsole_keys, .check = virtconsole_check,
};
