// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the tests of the VMM's console: the terminal is raw while a guest has it and given back
 * whatever happens, the escape keys work, input is neither lost nor read faster than it is taken.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "chardev.h"
#include "machine.h"
#include "tap.h"
#include "term.h"

static struct machine m;
static int posted;
static u8 received[20000];
static size_t nr_received, room;

void machine_post(struct machine *machine, int event)
{
	(void)machine;
	posted = event;
}

int report(const char *fmt, ...)
{
	(void)fmt;
	return -1;
}

static size_t on_room(void *opaque)
{
	(void)opaque;
	return room;
}

static void on_receive(void *opaque, const u8 *data, size_t len)
{
	(void)opaque;
	memcpy(received + nr_received, data, len);
	nr_received += len;
}

static const struct chardev_frontend frontend = { .room = on_room, .receive = on_receive };

/* A pseudo terminal: its controlling side, and its other side as standard input. */
static int open_terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;

	if (master < 0 || grantpt(master) || unlockpt(master))
		tap_bail("no pseudo terminal");
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	if (slave < 0 || dup2(slave, STDIN_FILENO) < 0)
		tap_bail("no pseudo terminal");
	close(slave);
	return master;
}

static bool is_raw(void)
{
	struct termios t;

	return !tcgetattr(STDIN_FILENO, &t) && !(t.c_lflag & (ICANON | ECHO | ISIG)) &&
	       !(t.c_iflag & (ICRNL | IXON));
}

static bool is_cooked(void)
{
	struct termios t;

	return !tcgetattr(STDIN_FILENO, &t) &&
	       (t.c_lflag & (ICANON | ECHO | ISIG)) == (ICANON | ECHO | ISIG) &&
	       (t.c_iflag & (ICRNL | IXON)) == (ICRNL | IXON);
}

/* A child takes the terminal and ends; the terminal must be as before. */
static void test_end(const char *what, int sig)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		tap_bail("cannot fork");
	if (!pid) {
		if (term_raw(STDIN_FILENO) || !is_raw())
			_exit(1);
		/* The sanitizers have handlers of their own; ours replace them. */
		if (sig)
			raise(sig);
		exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		tap_bail("lost a child");
	tap_ok(is_cooked() && (sig ? WIFSIGNALED(status) && WTERMSIG(status) == sig :
				     WIFEXITED(status) && !WEXITSTATUS(status)),
	       "the terminal is given back after %s", what);
}

static void test_terminal(void)
{
	int pipe_fd[2];

	tap_ok(is_cooked(), "a terminal starts cooked");
	test_end("exit", 0);
	test_end("SIGABRT", SIGABRT);
	test_end("SIGSEGV", SIGSEGV);
	test_end("SIGBUS", SIGBUS);
	if (pipe(pipe_fd))
		tap_bail("no pipe");
	tap_eq(term_raw(pipe_fd[0]), 0, "what is no terminal is left alone");
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

/* Let the loop see what was typed. */
static void serve(void)
{
	struct loop_source *s = &m.loop.source[0];
	struct pollfd pfd = { .fd = s->fd, .events = POLLIN };

	while (s->wanted(s->opaque) && poll(&pfd, 1, 100) > 0)
		s->ready(s->opaque);
}

static void press(int fd, const char *keys, size_t len)
{
	nr_received = 0;
	posted = 0;
	if (write(fd, keys, len) != (ssize_t)len)
		tap_bail("cannot type");
	serve();
}

static struct chardev *open_console(void)
{
	const struct serial_config cfg = { .kind = SERIAL_STDIO };
	struct chardev *chr = chardev_open(&cfg, &m);

	m.loop.nr = 0;
	if (!chr)
		tap_bail("no console");
	chardev_attach(chr, &frontend, NULL);
	if (chardev_start(chr))
		tap_bail("the console cannot be started");
	return chr;
}

static void test_keys(int master)
{
	struct chardev *chr = open_console();
	char flood[6000];
	int saved = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);
	unsigned int i;

	tap_ok(is_raw(), "the console makes the terminal raw");
	term_restore();
	tap_ok(is_cooked(), "it can be given back");
	term_resume();
	tap_ok(is_raw(), "and taken again");

	room = SIZE_MAX;
	press(master, "a\003\r\032", 4);
	tap_ok(nr_received == 4 && !memcmp(received, "a\003\r\032", 4),
	       "all keys reach the guest, Ctrl-C and Ctrl-Z, too");
	press(master, "\001\001", 2);
	tap_ok(nr_received == 1 && received[0] == 1, "Ctrl-A Ctrl-A sends Ctrl-A");
	dup2(null, STDERR_FILENO);
	press(master, "\001hb", 3);
	dup2(saved, STDERR_FILENO);
	tap_ok(nr_received == 1 && received[0] == 'b' && !posted, "Ctrl-A h stays with mkvm");
	press(master, "\001", 1);
	press(master, "x", 1);
	tap_ok(!nr_received && posted == MACHINE_QUIT, "Ctrl-A x quits");

	room = 0;
	memset(flood, 'f', sizeof(flood));
	for (i = 0; i < 10; i++)
		press(master, flood, sizeof(flood) / 10);
	tap_ok(!nr_received && chardev_has_input(chr), "keys wait for a guest that takes none");
	press(master, "\001x", 2);
	tap_eq(posted, MACHINE_QUIT, "Ctrl-A x works nevertheless");
	room = 100;
	chardev_feed(chr);
	tap_ok(nr_received > 100 && !chardev_has_input(chr), "they arrive when there is room");
	close(master);
	serve();
	tap_ok(!m.loop.source[0].wanted(m.loop.source[0].opaque), "a lost terminal ends input");
	chardev_close(chr);
	close(saved);
	close(null);
}

static void test_pipe(void)
{
	struct chardev *chr;
	char block[8000];
	int fd[2], flags;
	size_t written;

	if (pipe(fd) || dup2(fd[0], STDIN_FILENO) < 0)
		tap_bail("no pipe");
	close(fd[0]);
	chr = open_console();
	room = SIZE_MAX;
	press(fd[1], "\001x", 2);
	tap_ok(nr_received == 2 && !posted, "from a pipe every byte is for the guest");
	room = 0;
	nr_received = 0;
	for (written = 0; written < sizeof(block); written++)
		block[written] = (char)written;
	press(fd[1], block, sizeof(block));
	tap_ok(!m.loop.source[0].wanted(m.loop.source[0].opaque), "a pipe is not read ahead");
	room = 16;
	while (nr_received < sizeof(block)) {
		size_t before = nr_received;

		chardev_feed(chr);
		serve();
		if (nr_received == before)
			break;
	}
	tap_ok(nr_received == sizeof(block) && !memcmp(received, block, sizeof(block)),
	       "and nothing of it is lost");
	close(fd[1]);
	serve();
	flags = m.loop.source[0].wanted(m.loop.source[0].opaque);
	tap_ok(!flags, "after its end it is not polled any more");
	chardev_close(chr);
}

int main(void)
{
	int master = open_terminal();

	tap_plan(0);
	if (loop_init(&m.loop))
		tap_bail("no event loop");
	test_terminal();
	test_keys(master);
	test_pipe();
	loop_destroy(&m.loop);
	return tap_done();
}
