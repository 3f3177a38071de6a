console_test_SRCS = ../userspace/chardev.c ../userspace/chardev_fds.c ../userspace/control/console.c ../userspace/term.c ../userspace/loop.c
console_test_CFLAGS = -D_GNU_SOURCE -I../userspace -pthread
