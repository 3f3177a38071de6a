exec_test_SRCS = $(addprefix ../module/x86/, decode.c opcodes.c exec.c \
	exec_alu.c exec_bits.c exec_int.c exec_rmw.c exec_flow.c exec_far.c) unit/native.S
exec_test_CFLAGS = -Iunit/shim -I../module/x86
