// SPDX-License-Identifier: GPL-2.0
/*
 * Requests in, replies out. Whatever a client sends, it gets an error or an answer; what it does
 * not read stops its own requests only.
 */
#include <stdlib.h>
#include <string.h>

#include "control/qmp.h"
#include "types.h"

static const char * const type_names[] = {
	[QMP_STRING] = "string", [QMP_INTEGER] = "integer", [QMP_BOOLEAN] = "boolean",
};

struct qmp_session *qmp_create(const struct qmp_command *commands, void *opaque)
{
	struct qmp_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->commands = commands;
	s->opaque = opaque;
	return s;
}

void qmp_destroy(struct qmp_session *s)
{
	if (!s)
		return;
	free(s->out);
	free(s);
}

/* ---- output ---------------------------------------------------------------------------------- */

static int append(const char *data, size_t len, void *opaque)
{
	struct qmp_session *s = opaque;

	if (s->out_head && s->out_head + s->out_used + len > s->out_size) {
		memmove(s->out, s->out + s->out_head, s->out_used);
		s->out_head = 0;
	}
	if (s->out_head + s->out_used + len > s->out_size) {
		size_t size = (s->out_used + len) * 2;
		char *out = realloc(s->out, size);

		if (!out)
			return -1;
		s->out = out;
		s->out_size = size;
	}
	memcpy(s->out + s->out_head + s->out_used, data, len);
	s->out_used += len;
	return 0;
}

static void put(struct qmp_session *s, json_t *message)
{
	if (!message || json_dump_callback(message, append, s, JSON_COMPACT) ||
	    append("\r\n", 2, s))
		s->broken = true;
}

void qmp_send(struct qmp_session *s, json_t *message)
{
	put(s, message);
	json_decref(message);
}

void qmp_event(struct qmp_session *s, json_t *event)
{
	if (!s->events || s->raw)
		return;
	if (s->out_used >= QMP_OUT_HIGH)
		s->lost++;
	else
		put(s, event);
}

void qmp_sent(struct qmp_session *s, size_t len)
{
	s->out_head += len;
	s->out_used -= len;
	if (s->out_used)
		return;
	/* A long reply's memory is not kept for the short ones that follow. */
	s->out_head = 0;
	if (s->out_size > QMP_OUT_HIGH) {
		free(s->out);
		s->out = NULL;
		s->out_size = 0;
	}
}

json_t *qmp_string(const char *text)
{
	json_t *value = json_string(text);
	char *copy, *c;

	if (value)
		return value;
	copy = strdup(text);
	for (c = copy; c && *c; c++) {
		if ((u8)*c < 0x20 || (u8)*c >= 0x7f)
			*c = '?';
	}
	value = copy ? json_string(copy) : NULL;
	free(copy);
	return value;
}

json_t *qmp_error(const char *class, const char *desc)
{
	return json_pack("{s:{s:s,s:o}}", "error", "class", class, "desc", qmp_string(desc));
}

/* ---- requests -------------------------------------------------------------------------------- */

static const struct qmp_arg *find_arg(const struct qmp_command *c, const char *name)
{
	unsigned int i;

	for (i = 0; i < QMP_MAX_ARGS && c->arg[i].name; i++) {
		if (!strcmp(c->arg[i].name, name))
			return &c->arg[i];
	}
	return NULL;
}

static bool has_type(const json_t *value, enum qmp_type type)
{
	switch (type) {
	case QMP_STRING:
		return json_is_string(value);
	case QMP_INTEGER:
		return json_is_integer(value);
	case QMP_BOOLEAN:
		return json_is_boolean(value);
	}
	return false;
}

static bool check_args(const struct qmp_command *c, json_t *args, char *error)
{
	const struct qmp_arg *arg;
	const char *name;
	json_t *value;
	unsigned int i;

	json_object_foreach(args, name, value) {
		arg = find_arg(c, name);
		if (!arg) {
			snprintf(error, QMP_ERROR_MAX, "%s takes no argument '%.64s'", c->name,
				 name);
			return false;
		}
		if (!has_type(value, arg->type)) {
			snprintf(error, QMP_ERROR_MAX, "argument '%s' of %s must be of type %s",
				 name, c->name, type_names[arg->type]);
			return false;
		}
	}
	for (i = 0; i < QMP_MAX_ARGS && c->arg[i].name; i++) {
		if (!c->arg[i].optional && !json_object_get(args, c->arg[i].name)) {
			snprintf(error, QMP_ERROR_MAX, "argument '%s' of %s is missing",
				 c->arg[i].name, c->name);
			return false;
		}
	}
	return true;
}

static json_t *execute(struct qmp_session *s, const char *name, json_t *args)
{
	char error[QMP_ERROR_MAX] = "failed";
	const struct qmp_command *c = s->commands;
	json_t *value = NULL;

	while (c->name && strcmp(c->name, name))
		c++;
	if (!c->name) {
		snprintf(error, sizeof(error),
			 "there is no command '%.64s'; query-commands lists them", name);
		return qmp_error("CommandNotFound", error);
	}
	if (check_args(c, args, error))
		value = c->run(s, args, error);
	if (!value)
		return qmp_error("GenericError", error);
	return json_pack("{s:o}", "return", value);
}

/* Check the shape of a request and carry it out. Returns the reply, without the id. */
static json_t *answer(struct qmp_session *s, json_t *request)
{
	char error[QMP_ERROR_MAX];
	const char *key;
	json_t *name = NULL, *args = NULL, *value, *reply;

	if (!json_is_object(request))
		return qmp_error("GenericError", "a request must be an object");
	json_object_foreach(request, key, value) {
		if (!strcmp(key, "execute")) {
			name = value;
		} else if (!strcmp(key, "arguments")) {
			args = value;
		} else if (strcmp(key, "id")) {
			snprintf(error, sizeof(error),
				 "a request takes execute, arguments and id, not '%.64s'", key);
			return qmp_error("GenericError", error);
		}
	}
	if (!json_is_string(name))
		return qmp_error("GenericError", "a request needs \"execute\": a command's name");
	if (args && !json_is_object(args))
		return qmp_error("GenericError", "\"arguments\" must be an object");
	args = args ? json_incref(args) : json_object();
	reply = args ? execute(s, json_string_value(name), args) : NULL;
	json_decref(args);
	return reply;
}

static void request_line(struct qmp_session *s, const char *line, size_t len)
{
	json_error_t where;
	json_t *request, *reply, *id;
	char error[QMP_ERROR_MAX];

	if (len == strspn(line, " \t\r\n") || !len)
		return;
	request = json_loadb(line, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
	if (!request) {
		snprintf(error, sizeof(error), "no valid JSON at column %d: %.120s", where.column,
			 where.text);
		qmp_send(s, qmp_error("GenericError", error));
		return;
	}
	reply = answer(s, request);
	id = json_object_get(request, "id");
	if (reply && id && json_object_set(reply, "id", id)) {
		json_decref(reply);
		reply = NULL;
	}
	qmp_send(s, reply);
	json_decref(request);
}

size_t qmp_room(const struct qmp_session *s)
{
	return s->out_used < QMP_OUT_HIGH ? sizeof(s->in) - s->in_used : 0;
}

bool qmp_idle(const struct qmp_session *s)
{
	return s->out_used >= QMP_OUT_HIGH || !memchr(s->in, '\n', s->in_used);
}

static void discard(struct qmp_session *s, size_t len)
{
	s->in_used -= len;
	memmove(s->in, s->in + len, s->in_used);
}

void qmp_received(struct qmp_session *s, size_t len)
{
	size_t from = 0;
	char *end;

	s->in_used += len;
	while (!s->raw && !s->broken && s->out_used < QMP_OUT_HIGH) {
		end = memchr(s->in + from, '\n', s->in_used - from);
		if (!end)
			break;
		*end = '\0';
		if (!s->skipping)
			request_line(s, s->in + from, (size_t)(end - (s->in + from)));
		s->skipping = false;
		from = (size_t)(end + 1 - s->in);
	}
	discard(s, from);
	if (s->raw || s->broken || s->out_used >= QMP_OUT_HIGH)
		return;
	if (s->skipping) {
		s->in_used = 0;
	} else if (s->in_used == sizeof(s->in)) {
		s->in_used = 0;
		s->skipping = true;
		qmp_send(s, qmp_error("GenericError", "the request is longer than 65535 bytes"));
	}
}

json_t *qmp_describe(const struct qmp_command *commands)
{
	json_t *list = json_array();
	const struct qmp_command *c;
	unsigned int i;

	for (c = commands; c->name; c++) {
		json_t *args = json_array();

		for (i = 0; i < QMP_MAX_ARGS && c->arg[i].name; i++) {
			const struct qmp_arg *a = &c->arg[i];

			json_array_append_new(args, json_pack("{s:s,s:s,s:b}", "name", a->name,
							      "type", type_names[a->type],
							      "optional", a->optional));
		}
		json_array_append_new(list, json_pack("{s:s,s:s,s:o}", "name", c->name,
						      "description", c->help, "arguments", args));
	}
	return list;
}
