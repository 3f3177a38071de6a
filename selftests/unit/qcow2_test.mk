qcow2_test_SRCS = $(IMAGE_SRCS)
qcow2_test_CFLAGS = $(IMAGE_CFLAGS)
qcow2_test_LIBS = $(IMAGE_LIBS)
