/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtio block device.
 */
#ifndef MKVM_VIRTIO_BLK_H
#define MKVM_VIRTIO_BLK_H

struct machine;

/** virtio_blks_create() - add one device per disk of the machine; 0, or -1 after a report */
int virtio_blks_create(struct machine *m);

#endif
