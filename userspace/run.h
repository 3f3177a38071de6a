/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The `mkvm run` subcommand.
 */
#ifndef MKVM_RUN_H
#define MKVM_RUN_H

/** run_main() - run a guest; returns the process's exit status (enum mkvm_exit) */
int run_main(int argc, char **argv);

#endif
