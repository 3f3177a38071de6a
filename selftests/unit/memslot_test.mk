memslot_test_SRCS = ../module/memslot_array.c
memslot_test_CFLAGS = -Iunit/shim -I../module
