/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The protocol of the control socket: one JSON object a line each way, with QMP's shapes. It knows
 * neither sockets nor machines.
 *
 * Source: QEMU documentation, "QEMU Machine Protocol Specification" (docs/interop/qmp-spec).
 */
#ifndef MKVM_CONTROL_QMP_H
#define MKVM_CONTROL_QMP_H

#include <jansson.h>

#include "types.h"

#define QMP_PROTOCOL	1		/* counts incompatible changes of what is ours alone */
#define QMP_LINE_MAX	65536		/* bytes of a request, with its line feed */
#define QMP_OUT_HIGH	65536		/* with more unread, requests wait and events are lost */
#define QMP_ERROR_MAX	256
#define QMP_MAX_ARGS	4

struct qmp_session;

/* Types of an argument, as query-commands names them. */
enum qmp_type { QMP_STRING, QMP_INTEGER, QMP_BOOLEAN };

/**
 * struct qmp_arg - an argument of a command
 * @name: NULL ends the list
 * @type: what JSON it takes
 * @optional: it need not be given
 */
struct qmp_arg {
	const char *name;
	enum qmp_type type;
	bool optional;
};

/**
 * struct qmp_command - one command
 * @name: QMP's where it means the same
 * @help: one sentence, for query-commands
 * @run: do it. @args holds only arguments that were declared, of their types. Returns the value of
 *	"return", a new reference; or NULL with @error, of QMP_ERROR_MAX bytes, filled in
 * @arg: what it takes
 */
struct qmp_command {
	const char *name;
	const char *help;
	json_t *(*run)(struct qmp_session *s, json_t *args, char *error);
	struct qmp_arg arg[QMP_MAX_ARGS];
};

/**
 * struct qmp_session - one client's conversation
 * @commands: table ended by a row without name
 * @opaque: for the commands
 * @events: the client has said qmp_capabilities: it gets events
 * @raw: a command has turned the connection into a stream: what is left of @in is its beginning
 * @in: input not yet understood
 * @in_used: bytes of it
 * @skipping: the rest of a line that was too long is still to come
 * @out: output not yet sent
 * @out_head: first byte of it
 * @out_used: bytes of it
 * @out_size: allocated
 * @lost: events that found too much unread output
 * @broken: no memory for output: end the connection
 */
struct qmp_session {
	const struct qmp_command *commands;
	void *opaque;
	bool events;
	bool raw;
	char in[QMP_LINE_MAX];
	size_t in_used;
	bool skipping;
	char *out;
	size_t out_head;
	size_t out_used;
	size_t out_size;
	unsigned int lost;
	bool broken;
};

/** qmp_create() - a session, or NULL; @commands ends with an empty row */
struct qmp_session *qmp_create(const struct qmp_command *commands, void *opaque);

/** qmp_destroy() - free it, or NULL */
void qmp_destroy(struct qmp_session *s);

/** qmp_send() - append one message to the output; takes the reference, or NULL: no memory */
void qmp_send(struct qmp_session *s, json_t *message);

/**
 * qmp_event() - append an event, if the client wants them and reads
 * @s: the session
 * @event: the whole object; the caller keeps its reference
 */
void qmp_event(struct qmp_session *s, json_t *event);

/** qmp_room() - how many bytes may be put to in + in_used now; 0 while the client must read */
size_t qmp_room(const struct qmp_session *s);

/**
 * qmp_received() - @len more bytes are at in + in_used: answer what is complete
 * @s: the session
 * @len: may be 0, to go on when output was read
 */
void qmp_received(struct qmp_session *s, size_t len);

/** qmp_sent() - @len bytes from out + out_head have been sent */
void qmp_sent(struct qmp_session *s, size_t len);

/** qmp_idle() - no complete request waits, as far as output has room */
bool qmp_idle(const struct qmp_session *s);

/** qmp_describe() - the value of query-commands */
json_t *qmp_describe(const struct qmp_command *commands);

/** qmp_string() - any text as JSON: what is not UTF-8 has '?' for its odd bytes */
json_t *qmp_string(const char *text);

/** qmp_error() - the object that reports a failure; @class is QMP's */
json_t *qmp_error(const char *class, const char *desc);

#endif
