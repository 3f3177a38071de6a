// SPDX-License-Identifier: GPL-2.0
/*
 * Reading the file of MINIKVM_GET_STATS_FD, which describes itself.
 *
 * Source: Linux Documentation/virt/kvm/api.rst, "KVM_GET_STATS_FD".
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/stats.h"
#include "minikvm.h"
#include "types.h"

#define MAX_STATS	1024
#define MAX_NAME	256
#define MAX_ITEMS	1024

static bool read_at(int fd, void *buf, size_t len, off_t offset)
{
	ssize_t n = pread(fd, buf, len, offset);

	if (n == (ssize_t)len)
		return true;
	if (n >= 0)
		errno = EIO;
	return false;
}

static json_t *read_value(int fd, const struct minikvm_stats_header *head,
			  const struct minikvm_stats_desc *desc)
{
	u64 item[MAX_ITEMS];
	json_t *list;
	unsigned int i;

	if (!desc->size || desc->size > MAX_ITEMS ||
	    !read_at(fd, item, desc->size * sizeof(item[0]), head->data_offset + desc->offset))
		return NULL;
	if (desc->size == 1)
		return json_integer((json_int_t)item[0]);
	list = json_array();
	for (i = 0; i < desc->size; i++)
		json_array_append_new(list, json_integer((json_int_t)item[i]));
	return list;
}

json_t *stats_read(int fd)
{
	struct minikvm_stats_header head;
	union {
		struct minikvm_stats_desc desc;
		char room[sizeof(struct minikvm_stats_desc) + MAX_NAME];
	} u;
	json_t *list = NULL, *value;
	size_t size;
	unsigned int i;

	if (fd < 0) {
		errno = ENOTTY;
		return NULL;
	}
	if (!read_at(fd, &head, sizeof(head), 0))
		return NULL;
	size = sizeof(u.desc) + head.name_size;
	if (head.name_size == 0 || head.name_size > MAX_NAME || head.num_desc > MAX_STATS) {
		errno = EIO;
		return NULL;
	}
	list = json_array();
	for (i = 0; i < head.num_desc; i++) {
		if (!read_at(fd, &u, size, (off_t)(head.desc_offset + i * size)))
			break;
		u.room[size - 1] = '\0';
		value = read_value(fd, &head, &u.desc);
		if (!value)
			break;
		json_array_append_new(list, json_pack("{s:s,s:o}", "name", u.desc.name, "value",
						      value));
	}
	if (i < head.num_desc) {
		json_decref(list);
		return NULL;
	}
	return list;
}

