qcow2_crash_test_VMM = $(IMAGE_VMM)
qcow2_crash_test_CFLAGS = $(IMAGE_CFLAGS)
qcow2_crash_test_LIBS = $(IMAGE_LIBS) $(addprefix -Wl$(comma)--wrap=host_file_, \
	write writev flush truncate punch)
comma := ,
