net_tap_test_SRCS = ../userspace/net/tap.c ../userspace/net/link.c ../userspace/net/vhost.c
net_tap_test_CFLAGS = -D_GNU_SOURCE -I../userspace
