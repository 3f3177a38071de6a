IMAGE_SRCS := ../userspace/block/file.c ../userspace/block/block.c ../userspace/block/raw.c \
	../userspace/block/vdi.c ../userspace/block/vmdk.c ../userspace/block/vhd.c \
	../userspace/iov.c ../userspace/config_parse.c
image_test_SRCS = $(IMAGE_SRCS)
image_test_CFLAGS = -D_GNU_SOURCE -I../userspace -pthread
image_cross_test_SRCS = $(IMAGE_SRCS) ../userspace/report.c
image_cross_test_CFLAGS = -D_GNU_SOURCE -I../userspace -pthread
