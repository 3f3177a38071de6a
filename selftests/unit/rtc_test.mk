rtc_test_SRCS = ../userspace/dev/rtc.c ../userspace/bus.c
rtc_test_CFLAGS = -D_GNU_SOURCE -I../userspace -pthread
