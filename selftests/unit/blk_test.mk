blk_test_SRCS = ../userspace/virtio/blk.c ../userspace/virtio/device.c \
	../userspace/virtio/virtqueue.c ../userspace/block/raw.c ../userspace/guest_mem.c
blk_test_CFLAGS = -D_GNU_SOURCE -I../userspace -pthread
