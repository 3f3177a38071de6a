paging_test_SRCS = ../module/x86/paging.c
paging_test_CFLAGS = -Iunit/shim -I../module/x86
