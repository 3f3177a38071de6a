QCOW2_SRCS := $(wildcard ../userspace/block/*.c) ../userspace/iov.c \
	../userspace/config_parse.c ../userspace/report.c
qcow2_random_test_SRCS = $(QCOW2_SRCS)
qcow2_random_test_CFLAGS = -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I../userspace -pthread
qcow2_random_test_LIBS = -luring -ljansson -lz -lzstd
