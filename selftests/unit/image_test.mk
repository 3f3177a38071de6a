# All formats; the engines have tests of their own.
IMAGE_VMM := $(patsubst ../userspace/%,%,$(filter-out %/aio.c %/aio_pool.c, \
	$(wildcard ../userspace/block/*.c))) iov.c config_parse.c
IMAGE_CFLAGS := -D_GNU_SOURCE -I../userspace -pthread
IMAGE_LIBS := -lz -lzstd -ljansson
image_test_VMM = $(IMAGE_VMM)
image_test_CFLAGS = $(IMAGE_CFLAGS)
image_test_LIBS = $(IMAGE_LIBS)
image_crash_test_VMM = $(IMAGE_VMM) report.c
image_crash_test_CFLAGS = $(IMAGE_CFLAGS)
image_crash_test_LIBS = $(IMAGE_LIBS)
image_cross_test_VMM = $(IMAGE_VMM) report.c
image_cross_test_CFLAGS = $(IMAGE_CFLAGS)
image_cross_test_LIBS = $(IMAGE_LIBS)
