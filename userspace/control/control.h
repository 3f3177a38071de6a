/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The control socket of a running machine.
 */
#ifndef MKVM_CONTROL_CONTROL_H
#define MKVM_CONTROL_CONTROL_H

#include "control/event.h"
#include "control/qmp.h"

struct control;
struct machine;

/**
 * control_open() - make the sockets and start listening; sets m->control
 * @m: the machine: its loop and console exist
 * @path: the socket of the machine's entry, or NULL
 * @extra: a second socket, for -qmp, or NULL
 *
 * Call once nothing else can fail, and before privilege is dropped. Clients are served by the main
 * thread, in its loop.
 *
 * Return: 0, or -1 after a report; nothing is left behind.
 */
int control_open(struct machine *m, const char *path, const char *extra);

/**
 * control_close() - deliver what is left without waiting, end all conversations, remove the second
 *	socket; no other thread may use control_event() any more
 * @m: the machine
 */
void control_close(struct machine *m);

/** control_serve() - main thread, on each round of its loop: deliver events and console output */
void control_serve(struct machine *m);

/**
 * control_attach() - the client's connection becomes its end of the console
 * @s: the session
 * @replay: begin with the output that is kept
 *
 * Return: NULL, or why not.
 */
const char *control_attach(struct qmp_session *s, bool replay);

/** control_machine() - whose session it is */
struct machine *control_machine(struct qmp_session *s);

/* commands.c */
extern const struct qmp_command control_commands[];

/** control_greeting() - what a client is told first; a new reference */
json_t *control_greeting(struct machine *m);

#endif
