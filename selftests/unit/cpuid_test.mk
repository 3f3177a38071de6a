cpuid_test_SRCS = ../userspace/cpuid.c
cpuid_test_CFLAGS = -D_GNU_SOURCE -I../userspace
