qcow2_srcs = $(wildcard ../userspace/block/qcow2*.c) ../userspace/block/file.c \
	../userspace/block/block.c ../userspace/block/raw.c ../userspace/block/vdi.c \
	../userspace/block/vmdk.c ../userspace/block/vhd.c ../userspace/iov.c ../userspace/config_parse.c ../userspace/report.c
qcow2_random_test_SRCS = $(qcow2_srcs)
qcow2_random_test_CFLAGS = -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I../userspace -pthread
qcow2_random_test_LIBS = -ljansson -lz -lzstd
