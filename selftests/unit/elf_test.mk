elf_test_SRCS = ../userspace/boot/elf.c
elf_test_CFLAGS = -D_GNU_SOURCE -I../userspace
