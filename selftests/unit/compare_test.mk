compare_test_VMM = compare/samples.c compare/result.c compare/table.c compare/html.c compare/rows.c \
	compare/initramfs.c compare/echo.c compare/modules.c compare/child.c compare/cgroup.c compare/host.c proc_fds.c \
	control/client.c control/entry.c report.c
compare_test_CFLAGS = -I../userspace
compare_test_LIBS = -ljansson
