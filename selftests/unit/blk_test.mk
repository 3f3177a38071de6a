blk_VMM := virtio/blk.c virtio/blk_queue.c virtio/device.c virtio/virtqueue.c iov.c config_parse.c thread.c \
	guest_mem.c $(patsubst ../userspace/%,%,$(wildcard ../userspace/block/*.c))
blk_test_VMM = $(blk_VMM)
blk_test_CFLAGS = -D_GNU_SOURCE -I../userspace -pthread
blk_test_LIBS = -luring -lz -lzstd -ljansson
blk_fault_test_VMM = $(blk_VMM)
blk_fault_test_CFLAGS = $(blk_test_CFLAGS)
blk_fault_test_LIBS = $(blk_test_LIBS)
blk_kill_test_VMM = $(blk_VMM)
blk_kill_test_CFLAGS = $(blk_test_CFLAGS)
blk_kill_test_LIBS = $(blk_test_LIBS)
