/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_TRACE_H
#define CACHELAYER_TRACE_H

/*
 * Static tracepoints (USDT): who waited for what, one event at a time, where the
 * histograms of wait_class.h add up. Each is a nop until somebody looks, and all of them
 * are in places where a thread is about to sleep or has slept. `kind` is an enum cl_wait.
 *
 *   page_lock_wait(kind, mapping, index)         about to queue for a page lock
 *   page_lock_overtaken(kind, mapping, index)    woken, and somebody else was faster
 *   page_lock_handed_over(kind, mapping, index)  has it after as much as is bearable
 *   waited(kind, ns)                             any wait is over, those at gates too
 *
 *   perf buildid-cache --add /usr/lib/x86_64-linux-gnu/libcachelayer.so.0.1.0
 *   perf record -e sdt_cachelayer:waited -p $(pidof foldfs)
 *   bpftrace -e 'usdt:…/libcachelayer.so:cachelayer:waited { @[arg0] = hist(arg1); }'
 */

#include <sys/sdt.h>

#define CL_TRACE2(name, a, b)	 DTRACE_PROBE2(cachelayer, name, a, b)
#define CL_TRACE3(name, a, b, c) DTRACE_PROBE3(cachelayer, name, a, b, c)

#endif
