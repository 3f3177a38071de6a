guest_mem_test_SRCS = ../userspace/guest_mem.c
guest_mem_test_CFLAGS = -D_GNU_SOURCE -I../userspace
