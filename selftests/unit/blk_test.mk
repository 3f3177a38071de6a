blk_test_SRCS = ../userspace/virtio/blk.c ../userspace/virtio/device.c \
	../userspace/virtio/virtqueue.c ../userspace/block/raw.c ../userspace/block/vdi.c \
	../userspace/block/vmdk.c ../userspace/block/vhd.c ../userspace/block/block.c \
	../userspace/block/file.c ../userspace/iov.c ../userspace/config_parse.c ../userspace/guest_mem.c
blk_test_CFLAGS = -D_GNU_SOURCE -I../userspace -pthread
