/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_FAKE_SESSION_H
#define TESTS_SUPPORT_FAKE_SESSION_H

/*
 * A FUSE session without a kernel: the three calls of libfuse's that serving makes, on
 * a queue of numbers; and a machine that is as busy as the test says. Linked instead of
 * libfuse and of fusefs/serve/runnable.c.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct fuse_session;

/** @param serve  called by fuse_session_process_buf() with a request's number, on
 *                whichever thread has taken it */
struct fuse_session *fake_session_new(void (*serve)(unsigned number));
void fake_session_free(struct fuse_session *session);

/** Queue a request, a GETATTR. From any thread. */
void fake_session_send(struct fuse_session *session, unsigned number);
/** Likewise, of any kind.
 *  @param opcode       FUSE_… of <linux/fuse.h>
 *  @param write_flags  of a FUSE_WRITE: FUSE_WRITE_… */
void fake_session_send_kind(struct fuse_session *session, unsigned number,
			    uint32_t opcode, uint32_t write_flags);
/** Likewise, of somebody about something. */
void fake_session_send_as(struct fuse_session *session, unsigned number, uint32_t uid,
			  uint32_t opcode, uint64_t nodeid);

/** From now on, receiving a request gives this: 0 as after an unmount, or a negative
 *  errno. */
void fake_session_fail(struct fuse_session *session, int status);

/** From now on there is no memory for a buffer; a thread that has one keeps it. */
void fake_session_starve(struct fuse_session *session);

/** Requests come from this thread; at first from one that is not known. */
void fake_session_come_from(struct fuse_session *session, uint32_t tid);

/** How often somebody has looked for a request, in vain or not. */
unsigned long fake_session_looks(struct fuse_session *session);

/** What runnable_too_many() says. */
extern _Atomic bool fake_too_many;

#endif
