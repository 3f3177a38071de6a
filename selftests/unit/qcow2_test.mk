qcow2_test_VMM = $(IMAGE_VMM)
qcow2_test_CFLAGS = $(IMAGE_CFLAGS)
qcow2_test_LIBS = $(IMAGE_LIBS)
