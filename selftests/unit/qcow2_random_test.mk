qcow2_random_test_SRCS = $(IMAGE_SRCS) ../userspace/report.c
qcow2_random_test_CFLAGS = $(IMAGE_CFLAGS)
qcow2_random_test_LIBS = $(IMAGE_LIBS)
