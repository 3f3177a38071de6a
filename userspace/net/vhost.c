// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the descriptors of /dev/vhost-net, as ioctl wrappers. A descriptor is a pair of queues and a
 * thread of the kernel, which works in the address space of the process that made it.
 *
 * Interface: Linux, include/uapi/linux/vhost.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/vhost.h>
#include <linux/virtio_net.h>

#include "net/net_config.h"
#include "net/vhost.h"
#include "report.h"
#include "virtio/device.h"

#define DEVICE "/dev/vhost-net"

/*
 * What the kernel has to know of the driver's choice, and every vhost-net since Linux 4.0 can do.
 * Its other bits have meanings of their own: that there is a log, and who adds the header.
 */
#define FEATURES \
	(BIT_ULL(VIRTIO_NET_F_MRG_RXBUF) | VIRTIO_INDIRECT_DESC | VIRTIO_EVENT_IDX | VIRTIO_VERSION_1)

struct vhost {
	const char *arg;
	unsigned int pairs;
	int fd[MAX_NET_QUEUES];
};

static int open_pair(const char *arg)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	u64 features;

	if (fd < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO))
		return report("network %s: there is no " DEVICE " (modprobe vhost_net); vhost=off works without",
			      arg);
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return report("network %s: no permission to open " DEVICE
			      "; become root, or a member of the group that owns it, or use vhost=off",
			      arg);
	if (fd < 0)
		return report("network %s: cannot open " DEVICE ": %s", arg, strerror(errno));
	if (!ioctl(fd, VHOST_GET_FEATURES, &features) && !(FEATURES & ~features))
		return fd;
	close(fd);
	return report("network %s: " DEVICE " is no vhost-net of Linux 4.0 or later; use vhost=off",
		      arg);
}

struct vhost *vhost_open(const char *arg, unsigned int pairs)
{
	struct vhost *v = calloc(1, sizeof(*v));
	int fd;

	if (!v) {
		report("out of memory");
		return NULL;
	}
	v->arg = arg;
	while (v->pairs < pairs) {
		fd = open_pair(arg);
		if (fd < 0) {
			vhost_close(v);
			return NULL;
		}
		v->fd[v->pairs++] = fd;
	}
	return v;
}

void vhost_close(struct vhost *v)
{
	unsigned int i;

	for (i = 0; v && i < v->pairs; i++)
		close(v->fd[i]);
	free(v);
}

static int set_memory(int fd, const struct guest_mem *mem)
{
	struct {
		struct vhost_memory head;
		struct vhost_memory_region region[ARRAY_SIZE(mem->ram)];
	} table = { .head.nregions = mem->nr };
	unsigned int i;

	for (i = 0; i < mem->nr; i++)
		table.region[i] = (struct vhost_memory_region){
			.guest_phys_addr = mem->ram[i].gpa,
			.memory_size = mem->ram[i].size,
			.userspace_addr = (uintptr_t)mem->ram[i].hva,
		};
	return ioctl(fd, VHOST_SET_MEM_TABLE, &table);
}

static int set_event(int fd, unsigned long request, unsigned int queue, int event)
{
	struct vhost_vring_file file = { .index = queue, .fd = event };

	return ioctl(fd, request, &file);
}

int vhost_set_up(struct vhost *v, unsigned int pair, const struct guest_mem *mem, const int *kick,
		 const int *call, int error)
{
	int fd = v->fd[pair], err;
	unsigned int i;

	err = ioctl(fd, VHOST_SET_OWNER) || set_memory(fd, mem);
	for (i = 0; i < VHOST_QUEUES && !err; i++)
		err = set_event(fd, VHOST_SET_VRING_KICK, i, kick[i]) ||
		      set_event(fd, VHOST_SET_VRING_CALL, i, call[i]) ||
		      set_event(fd, VHOST_SET_VRING_ERR, i, error);
	return err ? report("network %s: cannot set up " DEVICE ": %s", v->arg, strerror(errno)) : 0;
}

static int start_queue(int fd, unsigned int queue, const struct vhost_ring *ring, int tap)
{
	struct vhost_vring_state state = { .index = queue, .num = ring->size };
	struct vhost_vring_addr addr = {
		.index = queue,
		.desc_user_addr = (uintptr_t)ring->desc,
		.avail_user_addr = (uintptr_t)ring->avail,
		.used_user_addr = (uintptr_t)ring->used,
	};

	if (ioctl(fd, VHOST_SET_VRING_NUM, &state))
		return -1;
	state.num = ring->base;
	if (ioctl(fd, VHOST_SET_VRING_BASE, &state) || ioctl(fd, VHOST_SET_VRING_ADDR, &addr))
		return -1;
	return set_event(fd, VHOST_NET_SET_BACKEND, queue, tap);
}

int vhost_start(struct vhost *v, unsigned int pair, u64 accepted, const struct vhost_ring *ring,
		int tap)
{
	u64 features = accepted & FEATURES;
	int fd = v->fd[pair], err;

	err = ioctl(fd, VHOST_SET_FEATURES, &features) ||
	      start_queue(fd, VHOST_RX, &ring[VHOST_RX], tap) ||
	      start_queue(fd, VHOST_TX, &ring[VHOST_TX], tap) ? -errno : 0;
	if (err)
		(void)set_event(fd, VHOST_NET_SET_BACKEND, VHOST_RX, VHOST_FILE_UNBIND);
	return err;
}

void vhost_stop(struct vhost *v, unsigned int pair, u16 *base)
{
	struct vhost_vring_state state;
	unsigned int i;

	for (i = 0; i < VHOST_QUEUES; i++) {
		state = (struct vhost_vring_state){ .index = i };
		/* Waits for the thread to leave the queue. */
		if (set_event(v->fd[pair], VHOST_NET_SET_BACKEND, i, VHOST_FILE_UNBIND) ||
		    ioctl(v->fd[pair], VHOST_GET_VRING_BASE, &state))
			report("network %s: cannot stop " DEVICE ": %s", v->arg, strerror(errno));
		base[i] = (u16)state.num;
	}
}
