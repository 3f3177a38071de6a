/* SPDX-License-Identifier: GPL-2.0 */
/*
 * `mkvm net`: NAT networks of the host.
 */
#ifndef MKVM_NET_CMD_NET_H
#define MKVM_NET_CMD_NET_H

/** cmd_net() - argv[0] is "net"; returns the exit status */
int cmd_net(int argc, char **argv);

#endif
