/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Starting threads.
 */
#ifndef MKVM_THREAD_H
#define MKVM_THREAD_H

#include <pthread.h>

/**
 * thread_create() - start a thread, named, with a stack of 256 KiB
 * @thread: set
 * @name: up to 15 characters
 * @fn: what it does
 * @opaque: its argument
 *
 * Return: 0 or an errno, as pthread_create().
 */
int thread_create(pthread_t *thread, const char *name, void *(*fn)(void *), void *opaque);

#endif
