compare_test_VMM = compare/samples.c compare/result.c compare/table.c compare/html.c compare/rows.c \
	compare/initramfs.c compare/echo.c compare/modules.c compare/child.c compare/host.c \
	control/client.c control/entry.c inspect/exits.c inspect/word.c inspect/word_vmx.c \
	inspect/word_cpu.c inspect/controls.c inspect/dump.c inspect/fields.c inspect/save.c report.c
compare_test_CFLAGS = -I../userspace
compare_test_LIBS = -ljansson
