ept_show_test_VMM = report.c control/entry.c inspect/attach.c proc_fds.c inspect/word.c inspect/word_cpu.c inspect/dump.c \
	inspect/save.c inspect/live.c inspect/options.c inspect/ept.c inspect/ept_show.c inspect/ept_html.c \
	inspect/ept_page.c inspect/cmd_ept.c
ept_show_test_CFLAGS = -D_GNU_SOURCE -I../userspace
ept_show_test_LIBS = -ljansson
