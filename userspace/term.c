// SPDX-License-Identifier: GPL-2.0
/*
 * Raw terminal mode. The saved settings are file-scope because the handlers of exit and of fatal
 * signals must find them.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "report.h"
#include "term.h"
#include "types.h"

static struct termios saved, raw;
static atomic_int saved_fd = -1;
static atomic_int is_raw;

/* SIGSYS, of the sandbox, restores by itself. */
static const int fatal_signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };

void term_restore(void)
{
	if (saved_fd < 0 || !is_raw)
		return;
	is_raw = 0;
	/* Not TCSADRAIN: output that is stopped must not keep us from ending. */
	tcsetattr(saved_fd, TCSANOW, &saved);
}

void term_resume(void)
{
	if (saved_fd < 0 || is_raw)
		return;
	is_raw = 1;
	tcsetattr(saved_fd, TCSADRAIN, &raw);
}

/*
 * SA_RESETHAND has put the default action back: returning from here repeats the fault, raising
 * repeats the rest.
 */
static void on_fatal_signal(int sig)
{
	term_restore();
	raise(sig);
}

int term_raw(int fd)
{
	struct sigaction sa = { .sa_handler = on_fatal_signal,
				.sa_flags = SA_RESETHAND | SA_NODEFER };
	size_t i;

	if (!isatty(fd))
		return 0;
	if (tcgetattr(fd, &saved))
		return report("cannot read the terminal's settings: %s", strerror(errno));
	raw = saved;
	/* Every key goes to the guest; output processing stays on, for mkvm's own messages. */
	raw.c_iflag &=
		~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
	raw.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | IEXTEN | ISIG);
	raw.c_cflag &= ~(tcflag_t)(CSIZE | PARENB);
	raw.c_cflag |= CS8;
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;

	saved_fd = fd;
	sigemptyset(&sa.sa_mask);
	for (i = 0; i < ARRAY_SIZE(fatal_signals); i++)
		sigaction(fatal_signals[i], &sa, NULL);
	atexit(term_restore);
	is_raw = 1;
	if (tcsetattr(fd, TCSADRAIN, &raw)) {
		is_raw = 0;
		return report("cannot put the terminal into raw mode: %s", strerror(errno));
	}
	return 0;
}
