stat_sum_test_VMM = report.c control/entry.c control/client.c inspect/attach.c proc_fds.c inspect/options.c inspect/word.c \
	inspect/word_cpu.c inspect/word_vmx.c inspect/controls.c inspect/dump.c inspect/live.c inspect/save.c inspect/exits.c \
	inspect/stat_sum.c inspect/stat_show.c inspect/cmd_stat.c
stat_sum_test_CFLAGS = -D_GNU_SOURCE -I../userspace
stat_sum_test_LIBS = -ljansson
