net_test_SRCS = ../userspace/virtio/net.c ../userspace/virtio/net_queue.c \
	../userspace/virtio/net_ctrl.c ../userspace/virtio/net_vhost.c ../userspace/virtio/device.c \
	../userspace/virtio/virtqueue.c ../userspace/iov.c ../userspace/guest_mem.c \
	../userspace/net/tap.c ../userspace/net/vhost.c ../userspace/thread.c
net_test_CFLAGS = -D_GNU_SOURCE -I../userspace -pthread
