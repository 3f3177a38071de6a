daemon_test_SRCS = ../userspace/daemon.c ../userspace/report.c
daemon_test_CFLAGS = -D_GNU_SOURCE -I../userspace
