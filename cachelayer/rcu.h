/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_RCU_H
#define CACHELAYER_RCU_H

/*
 * Read-copy-update, from liburcu ("bulletproof" flavour: a thread registers itself at
 * its first read-side section; our threads belong to libfuse and to our callers).
 *
 * ThreadSanitizer does not know liburcu's memory barriers: the edges from call_rcu()
 * and from the end of a read-side section to the callback after the grace period are
 * told to it here.
 */

#include <urcu/urcu-bp.h>

#if defined(__SANITIZE_THREAD__)
#define CL_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CL_TSAN 1
#endif
#endif

#ifdef CL_TSAN
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
extern char cl_rcu_grace_period; /* page_table.c */
#define cl_rcu_tsan_release() __tsan_release(&cl_rcu_grace_period)
#define cl_rcu_tsan_acquire() __tsan_acquire(&cl_rcu_grace_period)
#else
#define cl_rcu_tsan_release() ((void)0)
#define cl_rcu_tsan_acquire() ((void)0)
#endif

static inline void cl_rcu_read_lock(void)
{
	urcu_bp_read_lock();
}

static inline void cl_rcu_read_unlock(void)
{
	cl_rcu_tsan_release();
	urcu_bp_read_unlock();
}

#endif
