/* SPDX-License-Identifier: GPL-2.0 */
/*
 * `mkvm trace`: records what a machine's vCPUs and threads do.
 */
#ifndef MKVM_INSPECT_CMD_TRACE_H
#define MKVM_INSPECT_CMD_TRACE_H

/** cmd_trace() - the subcommand; its exit status */
int cmd_trace(int argc, char **argv);

#endif
