sandbox_test_SRCS = ../userspace/sandbox.c ../userspace/seccomp_filter.c ../userspace/report.c \
	../userspace/term.c ../userspace/config_parse.c
sandbox_test_CFLAGS = -D_GNU_SOURCE -I../userspace -pthread
sandbox_test_LIBS = -lseccomp -lcap
