// SPDX-License-Identifier: GPL-2.0
/*
 * Makes the tracepoints that trace.h and trace_irq.h declare.
 */
#include "minikvm.h"

#define CREATE_TRACE_POINTS
#include "trace.h"
#include "trace_irq.h"
