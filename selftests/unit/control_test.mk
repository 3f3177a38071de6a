control_test_SRCS = ../userspace/control/qmp.c ../userspace/control/server.c \
	../userspace/control/console.c ../userspace/control/entry.c ../userspace/loop.c
control_test_CFLAGS = -D_GNU_SOURCE -I../userspace -pthread
control_test_LIBS = -ljansson
