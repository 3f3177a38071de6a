net_user_test_SRCS = ../userspace/net/user.c ../userspace/thread.c
net_user_test_CFLAGS = -D_GNU_SOURCE -I../userspace -pthread
net_user_test_LIBS = -ldl
