// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the tests of the VMM's control socket: every line gets an answer, whatever it holds; a
 * client that does not read, or leaves, is nobody else's business; consoles replay and follow;
 * names of machines are taken, given back, and free after a crash.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chardev.h"
#include "control/console.h"
#include "control/control.h"
#include "control/entry.h"
#include "machine.h"
#include "tap.h"

#define HUGE_REPLY	20000

static struct machine m;
static char typed[4096];
static size_t nr_typed, typing_room = sizeof(typed);
static unsigned int executed;
static char said[1024];

/* ---- what stands in for the rest of mkvm ----------------------------------------------------- */

int report(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(said, sizeof(said), fmt, ap);
	va_end(ap);
	return -1;
}

size_t chardev_input_room(struct chardev *chr)
{
	(void)chr;
	return typing_room - nr_typed;
}

void chardev_input(struct chardev *chr, const u8 *data, size_t len)
{
	(void)chr;
	memcpy(typed + nr_typed, data, len);
	nr_typed += len;
}

json_t *control_greeting(struct machine *machine)
{
	(void)machine;
	return json_pack("{s:{}}", "QMP");
}

static json_t *run_echo(struct qmp_session *s, json_t *args, char *error)
{
	(void)s;
	(void)error;
	executed++;
	return json_incref(args);
}

static json_t *run_fail(struct qmp_session *s, json_t *args, char *error)
{
	(void)s;
	(void)args;
	/* Cut in the middle of a character. */
	snprintf(error, QMP_ERROR_MAX, "it broke: \xc3");
	return NULL;
}

static json_t *run_huge(struct qmp_session *s, json_t *args, char *error)
{
	char text[HUGE_REPLY + 1];

	(void)s;
	(void)args;
	(void)error;
	executed++;
	memset(text, 'h', HUGE_REPLY);
	text[HUGE_REPLY] = '\0';
	return json_string(text);
}

static json_t *run_events(struct qmp_session *s, json_t *args, char *error)
{
	(void)args;
	(void)error;
	s->events = true;
	return json_object();
}

static json_t *run_console(struct qmp_session *s, json_t *args, char *error)
{
	const char *why = control_attach(s, !json_is_false(json_object_get(args, "replay")));

	if (!why)
		return json_object();
	snprintf(error, QMP_ERROR_MAX, "%s", why);
	return NULL;
}

const struct qmp_command control_commands[] = {
	{ "echo", "", run_echo,
	  { { "text", QMP_STRING, true }, { "n", QMP_INTEGER, true },
	    { "on", QMP_BOOLEAN, true } } },
	{ "need", "", run_echo, { { "text", QMP_STRING, false } } },
	{ "fail", "", run_fail, { } },
	{ "huge", "", run_huge, { } },
	{ "qmp_capabilities", "", run_events, { } },
	{ "console", "", run_console, { { "replay", QMP_BOOLEAN, true } } },
	{ },
};

#define ECHO_WITH "{\"execute\":\"echo\",\"arguments\":"

/* ---- the protocol ---------------------------------------------------------------------------- */

static struct qmp_session *session(void)
{
	struct qmp_session *s = qmp_create(control_commands, NULL);

	if (!s)
		tap_bail("out of memory");
	return s;
}

/* As a client would send it, as fast as it is taken. */
static void feed(struct qmp_session *s, const char *data, size_t len, size_t chunk)
{
	while (len) {
		size_t n = len < chunk ? len : chunk;

		if (n > qmp_room(s))
			n = qmp_room(s);
		if (!n)
			tap_bail("a session takes no more");
		memcpy(s->in + s->in_used, data, n);
		qmp_received(s, n);
		data += n;
		len -= n;
	}
}

/* The next reply, taken; NULL: there is none, or it is not a line of JSON. */
static json_t *reply(struct qmp_session *s)
{
	char *start = s->out + s->out_head, *end;
	json_t *value;

	end = s->out_used ? memchr(start, '\n', s->out_used) : NULL;
	if (!end || end == start || end[-1] != '\r')
		return NULL;
	value = json_loadb(start, (size_t)(end - start), JSON_REJECT_DUPLICATES, NULL);
	qmp_sent(s, (size_t)(end + 1 - start));
	return value;
}

static bool is_error(json_t *r, const char *class, const char *text)
{
	json_t *error = json_object_get(r, "error");
	const char *desc = json_string_value(json_object_get(error, "desc"));
	const char *is = json_string_value(json_object_get(error, "class"));
	bool ok = is && desc && !strcmp(is, class) && strstr(desc, text);

	if (!ok)
		tap_diag("class %s, text %s", is ? is : "-", desc ? desc : "-");
	json_decref(r);
	return ok;
}

static bool is_echo(json_t *r)
{
	bool ok = json_is_object(json_object_get(r, "return"));

	json_decref(r);
	return ok;
}

static void ask(struct qmp_session *s, const char *line)
{
	feed(s, line, strlen(line), SIZE_MAX);
	feed(s, "\n", 1, 1);
}

static void test_garbage(void)
{
	static const struct {
		const char *line, *class, *text;
	} bad[] = {
		{ "hello", "GenericError", "no valid JSON" },
		{ "{", "GenericError", "no valid JSON" },
		{ "[]", "GenericError", "must be an object" },
		{ "1", "GenericError", "must be an object" },
		{ "\"echo\"", "GenericError", "must be an object" },
		{ "null", "GenericError", "must be an object" },
		{ "{}", "GenericError", "needs \"execute\"" },
		{ "{\"execute\":1}", "GenericError", "needs \"execute\"" },
		{ "{\"execute\":\"echo\",\"execute\":\"echo\"}", "GenericError", "duplicate" },
		{ ECHO_WITH "[]}", "GenericError", "must be an object" },
		{ ECHO_WITH "null}", "GenericError", "must be an object" },
		{ "{\"execute\":\"echo\",\"argument\":{}}", "GenericError", "not 'argument'" },
		{ "{\"execute\":\"ech\"}", "CommandNotFound", "'ech'" },
		{ "{\"execute\":\"\"}", "CommandNotFound", "''" },
		{ "{\"execute\":\"echo\\u0000\"}", "GenericError", "no valid JSON" },
		{ "{\"execute\":\"\xff\"}", "GenericError", "no valid JSON" },
		{ ECHO_WITH "{\"x\":1}}", "GenericError", "no argument 'x'" },
		{ ECHO_WITH "{\"text\":1}}", "GenericError", "type string" },
		{ ECHO_WITH "{\"n\":\"1\"}}", "GenericError", "type integer" },
		{ ECHO_WITH "{\"n\":1.5}}", "GenericError", "type integer" },
		{ ECHO_WITH "{\"n\":99999999999999999999}}", "GenericError",
		  "no valid JSON" },
		{ ECHO_WITH "{\"on\":1}}", "GenericError", "type boolean" },
		{ "{\"execute\":\"need\"}", "GenericError", "'text' of need is missing" },
		{ "{\"execute\":\"fail\"}", "GenericError", "it broke: ?" },
	};
	struct qmp_session *s = session();
	char nest[60000], name[3000];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		ask(s, bad[i].line);
		tap_ok(is_error(reply(s), bad[i].class, bad[i].text) && !s->out_used,
		       "refused: %.60s", bad[i].line);
	}
	tap_eq(executed, 0, "none of this did anything");
	memset(nest, '[', sizeof(nest) - 1);
	nest[sizeof(nest) - 1] = '\0';
	ask(s, nest);
	tap_ok(is_error(reply(s), "GenericError", "depth"), "60000 nested arrays");
	snprintf(name, sizeof(name), "{\"execute\":\"%01000d\xc3\xa4\"}", 0);
	ask(s, name);
	tap_ok(is_error(reply(s), "CommandNotFound", "000"), "a command's name of 1001 characters");
	/* 63 letters and a character that the message cuts in half. */
	snprintf(name, sizeof(name), "{\"execute\":\"%063d\xc3\xa4\"}", 0);
	ask(s, name);
	tap_ok(is_error(reply(s), "CommandNotFound", "000"), "one that is cut in a character");
	ask(s, "{\"execute\":\"echo\"}");
	tap_ok(is_echo(reply(s)) && executed == 1, "after all this the session works");
	qmp_destroy(s);
}

static void test_lines(void)
{
	static const char two[] = "{\"execute\":\"echo\",\"id\":[1,{\"a\":null}]}\r\n\r\n \n"
				  "{\"execute\":\"echo\",\"id\":\"x\",\"arguments\":{\"n\":-7}}\n";
	struct qmp_session *s = session();
	char *flood = malloc(300000);
	json_t *r, *id;
	size_t chunk;

	for (chunk = 1; chunk <= sizeof(two); chunk += 40) {
		feed(s, two, sizeof(two) - 1, chunk);
		r = reply(s);
		id = json_object_get(r, "id");
		tap_ok(json_array_size(id) == 2, "the id comes back, pieces of %zu", chunk);
		json_decref(r);
		r = reply(s);
		tap_ok(json_integer_value(json_object_get(json_object_get(r, "return"), "n")) == -7,
		       "and the second request is answered, too");
		json_decref(r);
		tap_ok(!reply(s), "empty lines are not");
	}
	memset(flood, 'x', 300000);
	executed = 0;
	feed(s, flood, 300000, 1000);
	tap_ok(is_error(reply(s), "GenericError", "longer than") && !s->out_used,
	       "a line of 300000 bytes gets one error");
	feed(s, "\n{\"execute\":\"echo\"}\n", 20, 20);
	tap_ok(is_echo(reply(s)) && executed == 1, "and the next line an answer");
	memset(flood, ' ', QMP_LINE_MAX);
	memcpy(flood + QMP_LINE_MAX - 19, "{\"execute\":\"echo\"}\n", 19);
	feed(s, flood, QMP_LINE_MAX, 4096);
	tap_ok(is_echo(reply(s)), "a line of exactly 65536 bytes is one");
	free(flood);
	qmp_destroy(s);
}

/* Whatever comes, each reply is a line of JSON. */
static void test_random(void)
{
	static const char seed[] = ECHO_WITH "{\"text\":\"a\",\"n\":1},\"id\":7}\n";
	struct qmp_session *s = session();
	unsigned int i, k, bad = 0, answers = 0;
	char line[sizeof(seed)];
	json_t *r;

	srandom(4);
	for (i = 0; i < 20000; i++) {
		memcpy(line, seed, sizeof(seed));
		for (k = random() % 4; k; k--)
			line[random() % (sizeof(seed) - 1)] = (char)random();
		feed(s, line, sizeof(seed) - 1, 1 + random() % 40);
		while (s->out_used) {
			r = reply(s);
			bad += !json_is_object(r);
			answers++;
			json_decref(r);
			if (!r)
				break;
		}
	}
	tap_ok(!bad && !s->broken && answers > 15000, "20000 damaged requests: %u good answers",
	       answers);
	qmp_destroy(s);
}

/* A client that does not read has its requests wait, not grow. */
static void test_backpressure(void)
{
	static const char line[] = "{\"execute\":\"huge\"}\n";
	struct qmp_session *s = session();
	json_t *event = json_pack("{s:s}", "event", "X"), *r;
	unsigned int i, replies = 0;

	executed = 0;
	for (i = 0; i < 1000 && qmp_room(s) >= sizeof(line); i++)
		feed(s, line, sizeof(line) - 1, sizeof(line));
	tap_ok(executed == 4 && s->out_used < QMP_OUT_HIGH + HUGE_REPLY + 100,
	       "four long replies unread, then no more: %zu bytes", s->out_used);
	s->events = true;
	qmp_event(s, event);
	tap_eq(s->lost, 1, "events are lost meanwhile");
	while ((r = reply(s))) {
		replies++;
		json_decref(r);
		qmp_received(s, 0);
	}
	tap_ok(replies == i && executed == i && qmp_idle(s), "read, all %u are answered", i);
	json_decref(event);
	qmp_destroy(s);
}

/* ---- sockets --------------------------------------------------------------------------------- */

static char dir[] = "/tmp/control-test-XXXXXX";
static char sock[64];

static void pump(void)
{
	unsigned int i;

	for (i = 0; i < 5; i++) {
		loop_wake(&m.loop);
		loop_wait(&m.loop);
		control_serve(&m);
	}
}

static int dial(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(addr.sun_path, sock);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		tap_bail("cannot connect: %s", strerror(errno));
	return fd;
}

static void tell(int fd, const char *line)
{
	if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0)
		tap_bail("cannot send: %s", strerror(errno));
}

/* What has come, all of it; NULL at the end of the connection. */
static const char *hear(int fd)
{
	static char buf[200000];
	size_t used = 0;
	ssize_t n;

	pump();
	while ((n = recv(fd, buf + used, sizeof(buf) - 1 - used, 0)) > 0) {
		used += (size_t)n;
		pump();
	}
	buf[used] = '\0';
	return n == 0 && !used ? NULL : buf;
}

static bool hears(int fd, const char *text)
{
	const char *got = hear(fd);

	if (got && strstr(got, text))
		return true;
	tap_diag("heard: %.200s", got ? got : "the end");
	return false;
}

static void *other_thread(void *opaque)
{
	(void)opaque;
	control_event(&m, "STOP", "{s:b}", "guest", 1);
	return NULL;
}

static void test_clients(void)
{
	int fd[40], late, i, good = 0;
	pthread_t thread;

	for (i = 0; i < 32; i++) {
		fd[i] = dial();
		good += hears(fd[i], "\"QMP\"");
	}
	tap_eq(good, 32, "32 clients are greeted");
	late = dial();
	tap_ok(hears(late, "too many clients"), "the next is told that it is one too many");
	tap_ok(!hear(late), "and its connection ends");
	close(late);
	close(fd[31]);
	pump();
	fd[31] = dial();
	tap_ok(hears(fd[31], "\"QMP\""), "one that leaves makes room");
	for (i = good = 0; i < 32; i++)
		tell(fd[i], "{\"execute\":\"echo\",\"id\":1}\n");
	for (i = 0; i < 32; i++)
		good += hears(fd[i], "\"id\":1");
	tap_eq(good, 32, "all are answered");
	tell(fd[3], "{\"execute\":\"qmp_capabilities\"}\n");
	hear(fd[3]);
	pthread_create(&thread, NULL, other_thread, NULL);
	pthread_join(thread, NULL);
	tap_ok(hears(fd[3], "\"data\":{\"guest\":true}"), "who asked for events gets them");
	tap_ok(!*hear(fd[4]), "nobody else does");
	for (i = 0; i < 1000; i++)
		control_event(&m, "FLOOD", NULL);
	tap_ok(hears(fd[3], "FLOOD"), "1000 at once do no harm");
	for (i = 0; i < 32; i++)
		close(fd[i]);
	pump();
}

static void test_manners(void)
{
	int slow = dial(), fd = dial();
	unsigned int i;
	char c;

	/* As much as the socket and the session take, and nothing is read. */
	for (i = 0; i < 100000 && send(slow, "{\"execute\":\"huge\"}\n", 19, 0) > 0; i++)
		pump();
	tap_ok(i < 100000, "a client that does not read is held up after %u requests", i);
	hear(fd);
	tell(fd, "{\"execute\":\"echo\"}\n");
	tap_ok(hears(fd, "return"), "others are served");
	close(slow);
	executed = 0;
	slow = dial();
	tell(slow, "{\"execute\":\"echo\"}\n{\"execute\":\"echo\"}\n");
	close(slow);
	pump();
	tap_eq(executed, 2, "what a client sent before it left is done");
	tell(fd, "{\"execute\":\"huge\"}\n");
	shutdown(fd, SHUT_WR);
	tap_ok(hears(fd, "hhhhh"), "who has no more requests still gets the reply");
	tap_eq(recv(fd, &c, 1, 0), 0, "and then the connection ends");
	close(fd);
	fd = dial();
	tell(fd, "{\"execute\":\"ec");
	close(fd);
	pump();
	tap_ok(1, "half a request and a hang-up");
}

static void put_text(const char *text, unsigned int times)
{
	const char *c;

	while (times--) {
		for (c = text; *c; c++)
			console_put(m.console, (u8)*c);
	}
}

static void test_console(void)
{
	int fd = dial(), slow;
	const char *got;
	size_t len = 0;

	tell(fd, "{\"execute\":\"console\"}\n");
	tap_ok(hears(fd, "no serial port"), "there may be no console");
	m.console = console_create(&m.loop);
	put_text("boot message\n", 1);
	tell(fd, "{\"execute\":\"console\"}\nls\n");
	got = hear(fd);
	tap_ok(strstr(got, "{\"return\":{}}\r\nboot message\n"),
	       "a console begins with what was said");
	tap_ok(nr_typed == 3 && !memcmp(typed, "ls\n", 3), "what follows the request is typed");
	put_text("live\n", 1);
	tap_ok(!strcmp(hear(fd), "live\n"), "new output follows");
	tell(fd, "{\"execute\":\"echo\"}\n");
	pump();
	tap_ok(nr_typed == 22 && !*hear(fd), "requests are typing now");
	typing_room = nr_typed + 2;
	tell(fd, "abcdef");
	pump();
	tap_eq(nr_typed, 24, "the guest takes what it has room for");
	typing_room = sizeof(typed);
	pump();
	tap_ok(nr_typed == 28 && !memcmp(typed + 22, "abcdef", 6), "and the rest later");

	slow = dial();
	hear(slow);
	tell(slow, "{\"execute\":\"console\",\"arguments\":{\"replay\":false}}\n");
	tap_ok(!strcmp(hear(slow), "{\"return\":{}}\r\n"), "without replay it begins empty");
	put_text("0123456789abcdef", 20000);
	for (got = hear(fd); *got; got = hear(fd))
		len += strlen(got);
	tap_ok(len > 0 && len <= CONSOLE_SIZE + 320000, "a reader that was late gets the end: %zu",
	       len);
	put_text("last", 1);
	tap_ok(hears(fd, "last"), "and goes on from there");
	close(slow);
	shutdown(fd, SHUT_WR);
	pump();
	put_text("more", 1);
	tap_ok(hears(fd, "more"), "the end of its input does not end a console");
	tap_eq(atomic_load(&m.console->readers), 1, "one reader is left");
	close(fd);
	pump();
	tap_eq(atomic_load(&m.console->readers), 0, "none is left");
}

static void test_stranger(void)
{
	int status = 1, fd;
	pid_t pid;

	if (geteuid()) {
		tap_skip("only root can pretend to be others");
		return;
	}
	chmod(dir, 0755);
	chmod(sock, 0666);
	pid = fork();
	if (!pid) {
		if (setuid(65534))
			_exit(2);
		fd = dial();
		usleep(300000);
		_exit(recv(fd, said, sizeof(said) - 1, 0) <= 0 || !strstr(said, "only the user"));
	}
	while (!waitpid(pid, &status, WNOHANG)) {
		pump();
		usleep(10000);
	}
	tap_ok(WIFEXITED(status) && !WEXITSTATUS(status), "a stranger's connection is refused");
}

static void test_sockets(void)
{
	struct stat st;
	char other[80];
	int fd;

	snprintf(sock, sizeof(sock), "%s/a.sock", dir);
	snprintf(other, sizeof(other), "%s/qmp", dir);
	if (loop_init(&m.loop) || control_open(&m, sock, other))
		tap_bail("no control socket: %s", said);
	tap_ok(!stat(sock, &st) && (st.st_mode & 0777) == 0600, "the socket is private");
	test_clients();
	test_manners();
	test_console();
	test_stranger();
	fd = dial();
	hear(fd);
	tell(fd, "{\"execute\":\"qmp_capabilities\"}\n");
	hear(fd);
	control_event(&m, "SHUTDOWN", NULL);
	control_close(&m);
	tap_ok(recv(fd, said, sizeof(said), 0) > 0 && strstr(said, "SHUTDOWN"),
	       "the last event arrives");
	close(fd);
	tap_ok(access(other, F_OK) && !m.control, "the second socket is removed");
	loop_init(&m.loop);
	tap_ok(control_open(&m, sock, NULL) && strstr(said, "cannot create") && !m.control,
	       "a socket that is in the way is reported");
	fd = open(other, O_CREAT | O_WRONLY, 0600);
	tap_ok(control_open(&m, NULL, other) && strstr(said, "no socket") && !access(other, F_OK),
	       "a file in the second one's place is left alone");
	close(fd);
	unlink(other);
	unlink(sock);
	console_destroy(m.console);
}

/* ---- names ----------------------------------------------------------------------------------- */

static unsigned int nr_names;
static char last_name[80];

static void on_name(void *opaque, const char *name)
{
	(void)opaque;
	nr_names++;
	snprintf(last_name, sizeof(last_name), "%s", name);
}

static unsigned int count_names(void)
{
	nr_names = 0;
	entry_each(on_name, NULL);
	return nr_names;
}

static void test_names(void)
{
	struct entry a, b;
	char path[120];
	int status;
	pid_t pid;

	setenv("MKVM_RUNTIME_DIR", dir, 1);
	chmod(dir, 0700);
	tap_ok(entry_name_valid("a.b_c-9") && !entry_name_valid("") && !entry_name_valid("a/b") &&
	       !entry_name_valid(".a") && !entry_name_valid("-a") && !entry_name_valid("a b"),
	       "which names are valid");
	tap_eq(count_names(), 0, "there is none");
	tap_eq(entry_claim(&a, "vm"), 0, "a name is claimed");
	tap_ok(entry_claim(&b, "vm") && strstr(said, "of this name is running (pid "),
	       "a second time it is not to be had");
	tap_ok(count_names() == 1 && !strcmp(last_name, "vm") && entry_in_use("vm"),
	       "it is listed");
	entry_release(&a);
	entry_release(&b);
	tap_ok(!count_names() && !entry_in_use("vm"), "given back");
	pid = fork();
	if (!pid) {
		entry_claim(&a, "vm");
		snprintf(path, sizeof(path), "%s/vm.sock", dir);
		close(open(path, O_CREAT | O_WRONLY, 0600));
		raise(SIGKILL);
	}
	waitpid(pid, &status, 0);
	snprintf(path, sizeof(path), "%s/vm.lock", dir);
	tap_ok(!access(path, F_OK), "a killed machine leaves its lock file");
	tap_eq(entry_claim(&a, "vm"), 0, "its name is free");
	snprintf(path, sizeof(path), "%s/vm.sock", dir);
	tap_ok(access(path, F_OK), "and its socket removed");
	entry_release(&a);
	pid = fork();
	if (!pid) {
		entry_claim(&a, "x");
		raise(SIGKILL);
	}
	waitpid(pid, &status, 0);
	snprintf(path, sizeof(path), "%s/x.lock", dir);
	tap_ok(!count_names() && access(path, F_OK), "listing removes what it left");
	chmod(dir, 0777);
	tap_ok(entry_claim(&a, "vm") && strstr(said, "only you can write"),
	       "a folder that others can write to is refused");
	tap_ok(entry_each(on_name, NULL) < 0, "also by the list");
	chmod(dir, 0700);
	unsetenv("MKVM_RUNTIME_DIR");
	unsetenv("XDG_RUNTIME_DIR");
	tap_ok(entry_dir(path, sizeof(path)) == !geteuid(),
	       "only root has a folder without asking");
}

int main(void)
{
	tap_plan(0);
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(dir))
		tap_bail("no folder");
	test_garbage();
	test_lines();
	test_random();
	test_backpressure();
	test_sockets();
	test_names();
	rmdir(dir);
	return tap_done();
}
