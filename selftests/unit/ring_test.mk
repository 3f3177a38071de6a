ring_test_SRCS = ../userspace/virtio/virtqueue.c ../userspace/iov.c ../userspace/guest_mem.c
ring_test_CFLAGS = -D_GNU_SOURCE -I../userspace
