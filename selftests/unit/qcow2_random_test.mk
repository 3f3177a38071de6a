qcow2_random_test_VMM = $(IMAGE_VMM) report.c
qcow2_random_test_CFLAGS = $(IMAGE_CFLAGS)
qcow2_random_test_LIBS = $(IMAGE_LIBS)
