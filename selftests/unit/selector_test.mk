selector_test_SRCS = ../module/x86/selector.c
selector_test_CFLAGS = -Iunit/shim -I../module/x86
