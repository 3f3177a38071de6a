decode_test_SRCS = ../module/x86/decode.c
decode_test_CFLAGS = -Iunit/shim -I../module/x86
