serial_test_SRCS = ../userspace/dev/serial.c ../userspace/bus.c
serial_test_CFLAGS = -D_GNU_SOURCE -I../userspace -pthread
