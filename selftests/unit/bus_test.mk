bus_test_SRCS = ../userspace/bus.c
bus_test_CFLAGS = -D_GNU_SOURCE -I../userspace -pthread
