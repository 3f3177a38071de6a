/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The other end of a guest's network: sends each test frame back.
 */
#ifndef MKVM_COMPARE_ECHO_H
#define MKVM_COMPARE_ECHO_H

#include "types.h"

#define ECHO_ETHERTYPE 0x88b5 /* IEEE 802, "local experimental" */
#define ECHO_FRAME_MAX 65536

/**
 * struct echo - a stream socket that one VMM connects to
 * @listen: where
 * @fd: the connection, -1: none
 * @path: file of the socket
 * @buf: what was received and not answered yet: frames, each behind its length
 * @used: bytes of it
 */
struct echo {
	int listen, fd;
	char path[96];
	u8 buf[2 * ECHO_FRAME_MAX];
	size_t used;
};

/** echo_open() - listen in directory @dir; 0, or -1 after a report */
int echo_open(struct echo *e, const char *dir);

/** echo_accept() - somebody connects */
void echo_accept(struct echo *e);

/** echo_serve() - read, and answer whole frames; a peer that breaks the format is left */
void echo_serve(struct echo *e);

/** echo_close() - end it */
void echo_close(struct echo *e);

#endif
