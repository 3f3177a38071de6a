/* SPDX-License-Identifier: GPL-2.0 */
/*
 * `mkvm stat`: what a machine's exits cost, while it runs.
 */
#ifndef MKVM_INSPECT_CMD_STAT_H
#define MKVM_INSPECT_CMD_STAT_H

/** cmd_stat() - the subcommand; its exit status */
int cmd_stat(int argc, char **argv);

#endif
