decode_test_SRCS = ../module/x86/decode.c ../module/x86/opcodes.c
decode_test_CFLAGS = -Iunit/shim -I../module/x86
