/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Events for the clients of the control socket, from any part of mkvm.
 */
#ifndef MKVM_CONTROL_EVENT_H
#define MKVM_CONTROL_EVENT_H

struct machine;

/**
 * control_event() - tell all clients that asked for events; any thread, never waits
 * @m: the machine; without a control socket nothing happens
 * @name: QMP's name, e.g. "BLOCK_IO_ERROR"
 * @format: NULL: no data; or json_pack()'s format of the "data" object, e.g. "{s:s,s:b}"
 *
 * The main thread delivers it soon. If events come faster than that, the newest are dropped.
 */
void control_event(struct machine *m, const char *name, const char *format, ...);

#endif
