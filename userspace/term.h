/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The user's terminal: raw while a guest has it, always given back as it was.
 */
#ifndef MKVM_TERM_H
#define MKVM_TERM_H

/**
 * term_raw() - put the terminal on @fd into raw mode; does nothing if @fd is no terminal
 * @fd: terminal
 *
 * From then on exit(), _Exit by a fatal signal, and term_restore() put the old settings back.
 *
 * Return: 0, or -1 after a report.
 */
int term_raw(int fd);

/** term_restore() - give the terminal back; safe in signal handlers, and to call at any time */
void term_restore(void);

/** term_resume() - raw again after term_restore(), for a process that was stopped and continued */
void term_resume(void);

#endif
