acpi_test_SRCS = ../userspace/boot/acpi.c ../userspace/boot/aml.c ../userspace/boot/dsdt.c \
	../userspace/guest_mem.c ../userspace/report.c
acpi_test_CFLAGS = -D_GNU_SOURCE -I../userspace
