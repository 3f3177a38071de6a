bzimage_test_SRCS = ../userspace/boot/bzimage.c
bzimage_test_CFLAGS = -D_GNU_SOURCE -I../userspace
