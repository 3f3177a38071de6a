blk_SRCS = $(addprefix ../userspace/, virtio/blk.c virtio/blk_queue.c virtio/device.c \
	virtio/virtqueue.c iov.c config_parse.c guest_mem.c) $(wildcard ../userspace/block/*.c)
blk_LIBS = -luring -lz -lzstd -ljansson
blk_CFLAGS = -D_GNU_SOURCE -I../userspace -pthread
blk_test_SRCS = $(blk_SRCS)
blk_test_CFLAGS = $(blk_CFLAGS)
blk_test_LIBS = $(blk_LIBS)
blk_fault_test_SRCS = $(blk_SRCS)
blk_fault_test_CFLAGS = $(blk_CFLAGS)
blk_fault_test_LIBS = $(blk_LIBS)
