// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the tests of the VMM's console: the terminal is raw while a guest has it and given back
 * whatever happens, the escape keys work, input is neither lost nor read faster than it is taken.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
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
	const struct chardev_config cfg = { .kind = CHARDEV_STDIO };
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

/* Let the loop look at all sources until nothing happens. */
static void serve_all(void)
{
	unsigned int i;
	bool again = true;

	while (again) {
		again = false;
		for (i = 0; i < m.loop.nr; i++) {
			struct loop_source *s = &m.loop.source[i];
			struct pollfd pfd = { .fd = s->fd, .events = POLLIN };

			if (s->wanted(s->opaque) && poll(&pfd, 1, 20) > 0) {
				s->ready(s->opaque);
				again = true;
			}
		}
	}
}

static int connect_to(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(sun.sun_path, path);
	return fd >= 0 && !connect(fd, (struct sockaddr *)&sun, sizeof(sun)) ? fd : -1;
}

static void say(struct chardev *chr, const char *text)
{
	while (*text)
		chardev_write(chr, (u8)*text++);
}

static bool hears(int fd, const char *text)
{
	char buf[100];
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

	return n == (ssize_t)strlen(text) && !memcmp(buf, text, strlen(text));
}

static struct chardev *open_listening(const struct chardev_config *cfg)
{
	struct chardev *chr;

	m.loop.nr = 0;
	nr_received = 0;
	room = SIZE_MAX;
	chr = chardev_open(cfg, &m);
	if (!chr)
		return NULL;
	chardev_attach(chr, &frontend, NULL);
	if (chardev_start(chr))
		tap_bail("the console cannot be started");
	return chr;
}

/* A reader that does not read is waited for once, and then output is dropped. */
static void test_slow_reader(struct chardev *chr, int fd)
{
	struct timespec before, after;
	char buf[4096];
	unsigned int i;
	double took;

	clock_gettime(CLOCK_MONOTONIC, &before);
	for (i = 0; i < 1000000; i++)
		chardev_write(chr, 'x');
	clock_gettime(CLOCK_MONOTONIC, &after);
	took = (double)(after.tv_sec - before.tv_sec) +
	       (double)(after.tv_nsec - before.tv_nsec) / 1e9;
	tap_ok(took < 8, "a reader that does not read stalls nobody (%.1f s)", took);
	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	say(chr, "back");
	tap_ok(hears(fd, "back"), "when it reads again it is served again");
}

static void test_leftovers(struct chardev_config *cfg)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct chardev *chr;
	char *path = cfg->path, longer[200];

	strcpy(sun.sun_path, path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)))
		tap_bail("no socket");
	close(fd);
	chr = chardev_open(cfg, &m);
	tap_ok(chr, "a socket left by a process that was killed is replaced");
	chardev_close(chr);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	tap_ok(!chardev_open(cfg, &m) && !access(path, F_OK), "a file is not");
	close(fd);
	unlink(path);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	cfg->path = longer;
	tap_ok(!chardev_open(cfg, &m), "a path that is too long is refused");
	cfg->path = path;
}

static void test_tcp(void)
{
	struct chardev_config cfg = { .kind = CHARDEV_TCP, .server = true, .no_wait = true };
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct chardev *chr = NULL;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (cfg.port = 40000; !chr && cfg.port < 40100; cfg.port++)
		chr = open_listening(&cfg);
	if (!chr || fd < 0)
		tap_bail("no socket");
	cfg.port--;
	tap_ok(!chardev_open(&cfg, &m), "a port that is taken is refused");
	in.sin_port = htons(cfg.port);
	tap_ok(!connect(fd, (struct sockaddr *)&in, sizeof(in)), "TCP: a client connects");
	serve_all();
	say(chr, "hello");
	usleep(1000);
	tap_ok(hears(fd, "hello"), "and hears");
	close(fd);
	chardev_close(chr);
}

static void test_pty(void)
{
	const struct chardev_config cfg = { .kind = CHARDEV_PTY };
	struct chardev *chr = open_listening(&cfg);
	struct termios t;
	char buf[10];
	int fd;

	if (!chr)
		tap_bail("no pseudo terminal");
	fd = open(ptsname(m.loop.source[0].fd), O_RDWR | O_NOCTTY);
	tap_ok(fd >= 0 && !tcgetattr(fd, &t) && !(t.c_lflag & (ECHO | ICANON)),
	       "a pseudo terminal is there, raw");
	say(chr, "hello");
	tap_ok(read(fd, buf, sizeof(buf)) == 5 && !memcmp(buf, "hello", 5), "it shows output");
	tap_ok(write(fd, "a\003", 2) == 2, "it takes input");
	serve_all();
	tap_ok(nr_received == 2 && received[1] == 3, "which reaches the guest");
	close(fd);
	serve_all();
	tap_ok(m.loop.source[0].wanted(m.loop.source[0].opaque), "it can be opened again");
	chardev_close(chr);
}

static void test_append(void)
{
	char path[] = "/tmp/console-XXXXXX";
	struct chardev_config cfg = { .kind = CHARDEV_FILE, .path = path, .append = true };
	struct chardev *chr;
	struct stat st;
	int fd = mkstemp(path), i;

	for (i = 0; i < 3; i++) {
		if (i == 2)
			cfg.append = false;
		chr = chardev_open(&cfg, &m);
		if (!chr)
			tap_bail("no file");
		say(chr, "12");
		chardev_close(chr);
		if (fstat(fd, &st))
			tap_bail("no file");
		tap_eq(st.st_size, i == 1 ? 4 : 2, i < 2 ? "a file is added to" : "or begun anew");
	}
	close(fd);
	unlink(path);
}

static void test_socket(void)
{
	char path[] = "/tmp/console-XXXXXX/s";
	struct chardev_config cfg = { .kind = CHARDEV_UNIX, .path = path, .server = true,
				      .no_wait = true };
	struct chardev *chr;
	struct stat st;
	int fd, second;

	path[strlen(path) - 2] = '\0';
	if (!mkdtemp(path))
		tap_bail("no directory");
	path[strlen(path)] = '/';
	chr = open_listening(&cfg);
	if (!chr)
		tap_bail("no socket");
	tap_ok(!stat(path, &st) && S_ISSOCK(st.st_mode) && (st.st_mode & 0777) == 0600,
	       "the socket is there, for its owner alone");
	say(chr, "lost");
	serve_all();
	tap_ok(!chardev_open(&cfg, &m), "a second server on it is refused");
	serve_all();
	fd = connect_to(path);
	second = connect_to(path);
	serve_all();
	say(chr, "hello");
	tap_ok(hears(fd, "hello"), "a client sees what is said from then on");
	tap_ok(write(fd, "\001x", 2) == 2, "it types");
	posted = 0;
	serve_all();
	tap_ok(nr_received == 2 && !posted, "every byte is for the guest");
	test_slow_reader(chr, fd);
	close(fd);
	serve_all();
	say(chr, "next");
	tap_ok(hears(second, "next"), "when it leaves, the next has its turn");
	close(second);
	serve_all();
	say(chr, "nobody");
	fd = connect_to(path);
	serve_all();
	say(chr, "x");
	tap_ok(hears(fd, "x"), "what nobody heard is lost");
	chardev_close(chr);
	tap_ok(stat(path, &st) && connect_to(path) < 0, "the socket goes with the console");
	close(fd);
	test_leftovers(&cfg);
	path[strlen(path) - 2] = '\0';
	rmdir(path);
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
	signal(SIGPIPE, SIG_IGN);
	test_socket();
	test_tcp();
	test_pty();
	test_append();
	loop_destroy(&m.loop);
	return tap_done();
}
