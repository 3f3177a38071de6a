# All formats; the engines have tests of their own.
IMAGE_SRCS := $(filter-out %/aio.c %/aio_pool.c,$(wildcard ../userspace/block/*.c)) \
	../userspace/iov.c ../userspace/config_parse.c
IMAGE_CFLAGS := -D_GNU_SOURCE -I../userspace -pthread
IMAGE_LIBS := -lz -lzstd -ljansson
image_test_SRCS = $(IMAGE_SRCS)
image_test_CFLAGS = $(IMAGE_CFLAGS)
image_test_LIBS = $(IMAGE_LIBS)
image_cross_test_SRCS = $(IMAGE_SRCS) ../userspace/report.c
image_cross_test_CFLAGS = $(IMAGE_CFLAGS)
image_cross_test_LIBS = $(IMAGE_LIBS)
