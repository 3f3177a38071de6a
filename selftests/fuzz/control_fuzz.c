// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of the control socket's conversation: the input is what a client sends, in pieces. Behind
 * it stand the real commands and a machine. Every reply must be a line of JSON.
 */
#include <stdlib.h>
#include <string.h>

#include "control/control.h"
#include "fuzz.h"
#include "vcpu.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static struct machine *m;

/* The server's, without sockets. */
struct machine *control_machine(struct qmp_session *s)
{
	(void)s;
	return m;
}

const char *control_attach(struct qmp_session *s, bool replay)
{
	s->raw = replay;
	return replay ? NULL : "no";
}

/* Look at the replies, and take some of them off. */
static void read_replies(struct qmp_session *s, size_t take)
{
	size_t pos = 0;

	if (s->out_head + s->out_used > s->out_size)
		fuzz_fail("%zu bytes of output in %zu", s->out_head + s->out_used, s->out_size);
	while (pos < s->out_used) {
		const char *line = s->out + s->out_head + pos;
		const char *end = memchr(line, '\n', s->out_used - pos);
		json_t *reply;

		if (!end)
			fuzz_fail("a reply without an end");
		reply = json_loadb(line, (size_t)(end - line), 0, NULL);
		if (!json_is_object(reply))
			fuzz_fail("a reply that is no object: %.*s", (int)(end - line), line);
		json_decref(reply);
		pos += (size_t)(end - line) + 1;
	}
	/* Whole lines, so that the next look begins with one. */
	if (take)
		qmp_sent(s, s->out_used);
}

static void send_piece(struct qmp_session *s, struct fuzz_in *in, size_t len)
{
	size_t room = qmp_room(s);

	if (len > room)
		len = room;
	qmp_received(s, fuzz_bytes(in, s->in + s->in_used, len));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	const char *options[] = { "-serial", "none", "-hda", NULL, NULL };
	struct fuzz_in in = { data, size };
	struct qmp_session *s;
	u8 piece;

	if (!m) {
		options[3] = fuzz_file("disk", NULL, 64 * KIB);
		m = fuzz_machine(options);
		m->accel.path = "none";
		m->vcpu = calloc(1, sizeof(*m->vcpu));
		if (m->vcpu)
			m->vcpu->stats_fd = -1;
	}
	s = qmp_create(control_commands, m);
	if (!s || !m->vcpu)
		return 0;
	qmp_send(s, control_greeting(m));
	piece = fuzz_u8(&in);
	while (in.left && !s->raw && !s->broken) {
		send_piece(s, &in, piece ? piece : in.left);
		read_replies(s, in.left % 3);
		if (!qmp_room(s)) {
			read_replies(s, 1);
			qmp_received(s, 0);
		}
	}
	read_replies(s, 0);
	qmp_destroy(s);
	machine_resume(m);
	atomic_store(&m->event, MACHINE_RUNNING);
	return 0;
}
