segment_test_SRCS = ../module/x86/segment.c
segment_test_CFLAGS = -Iunit/shim -I../module/x86
