/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The other end of the control socket: `mkvm list`, `mkvm stop` and so on.
 */
#ifndef MKVM_CONTROL_CLIENT_H
#define MKVM_CONTROL_CLIENT_H

#include <jansson.h>

#include "types.h"

#define CLIENT_TIMEOUT_MS	5000

/**
 * struct client_conn - a conversation with one machine
 * @name: whose; not owned
 * @fd: socket, -1: none
 * @buf: what was received and not used yet
 * @used: bytes of it
 * @size: allocated
 */
struct client_conn {
	const char *name;
	int fd;
	char *buf;
	size_t used;
	size_t size;
};

/**
 * client_open() - connect to a machine and read its greeting
 * @c: filled in; client_close() is due whatever the result
 * @name: the machine
 * @quiet: no report of a machine that does not exist or answer
 *
 * Return: 0, or -1 after a report.
 */
int client_open(struct client_conn *c, const char *name, bool quiet);

/** client_close() - end it */
void client_close(struct client_conn *c);

/**
 * client_call() - carry out a command
 * @c: the conversation
 * @command: its name
 * @args: a reference that is taken, or NULL
 *
 * Return: what it returned, a new reference; or NULL after a report.
 */
json_t *client_call(struct client_conn *c, const char *command, json_t *args);

/** client_wait_end() - wait until the machine has gone, at most @ms; true: it has */
bool client_wait_end(struct client_conn *c, unsigned int ms);

/* One subcommand each; the exit status. */
int cmd_list(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_stop(int argc, char **argv);
int cmd_pause(int argc, char **argv);
int cmd_resume(int argc, char **argv);
int cmd_reset(int argc, char **argv);
int cmd_console(int argc, char **argv);

#endif
