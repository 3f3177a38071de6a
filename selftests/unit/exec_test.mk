exec_test_SRCS = ../module/x86/decode.c ../module/x86/exec.c ../module/x86/exec_alu.c unit/native.S
exec_test_CFLAGS = -Iunit/shim -I../module/x86
