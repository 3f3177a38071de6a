virtio_pci_test_SRCS = ../userspace/virtio/pci.c ../userspace/virtio/device.c \
	../userspace/virtio/virtqueue.c ../userspace/iov.c \
	../userspace/dev/pci.c ../userspace/dev/pci_host.c \
	../userspace/dev/msix.c ../userspace/bus.c ../userspace/guest_mem.c
virtio_pci_test_CFLAGS = -D_GNU_SOURCE -I../userspace -pthread
