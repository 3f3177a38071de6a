trace_log_test_VMM = report.c control/entry.c inspect/attach.c proc_fds.c inspect/options.c inspect/save.c inspect/trace_format.c \
	inspect/trace_page.c inspect/trace_log.c inspect/trace_json.c inspect/tracefs.c inspect/symbols.c inspect/live.c inspect/dump.c \
	inspect/cmd_trace.c
trace_log_test_CFLAGS = -D_GNU_SOURCE -I../userspace
trace_log_test_LIBS = -ljansson -lelf
