vmcs_check_test_SRCS = $(wildcard ../module/vmx/check*.c) vmx/image.c vmx/breaks.c
vmcs_check_test_VMM = $(vmcs_test_VMM)
vmcs_check_test_CFLAGS = $(vmcs_test_CFLAGS)
vmcs_check_test_LIBS = $(vmcs_test_LIBS)
