vmcs_test_SRCS = $(wildcard ../module/vmx/check*.c)
vmcs_test_VMM = report.c control/entry.c inspect/attach.c proc_fds.c inspect/word.c inspect/word_cpu.c inspect/word_vmx.c \
	inspect/controls.c inspect/exits.c inspect/insn.c inspect/dump.c inspect/save.c inspect/fields.c inspect/live.c \
	inspect/options.c inspect/show.c inspect/diff.c inspect/bitmaps.c inspect/apic_show.c inspect/cmd_vmcs.c \
	inspect/entry_check.c
vmcs_test_CFLAGS = -D_GNU_SOURCE -I../userspace
vmcs_test_LIBS = -ljansson
