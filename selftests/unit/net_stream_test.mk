net_stream_test_SRCS = ../userspace/net/stream.c ../userspace/iov.c
net_stream_test_CFLAGS = -D_GNU_SOURCE -I../userspace
