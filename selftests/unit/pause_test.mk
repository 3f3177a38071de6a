pause_test_SRCS = ../userspace/pause.c ../userspace/loop.c ../userspace/report.c
pause_test_CFLAGS = -D_GNU_SOURCE -I../userspace -pthread
