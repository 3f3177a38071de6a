small_virtio_test_SRCS = ../userspace/virtio/rng.c ../userspace/virtio/console.c \
	../userspace/virtio/worker.c ../userspace/thread.c ../userspace/virtio/device.c ../userspace/virtio/virtqueue.c \
	../userspace/iov.c \
	../userspace/guest_mem.c
small_virtio_test_CFLAGS = -D_GNU_SOURCE -I../userspace -pthread
