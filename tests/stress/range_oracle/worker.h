/* SPDX-License-Identifier: MIT */
#ifndef RANGE_ORACLE_WORKER_H
#define RANGE_ORACLE_WORKER_H

/*
 * The threads that use the file while it is being rearranged.
 */

#include "oracle.h"

/** A worker's own; the rest of what it needs. */
struct self {
	struct oracle *oracle;
	struct worker *worker;
	const struct view *view;
	unsigned number;   /* among all workers of all processes */
	uint64_t random;   /* state of random_next() */
	uint32_t sequence; /* of its write(2)s */
	uint64_t *page;	   /* a buffer for one page, aligned for O_DIRECT */
};

/** A thread's start routine. arg: struct self, all but `page` set. Returns when the
 *  oracle says stop. */
void *worker_run(void *arg);

/* One access of each kind. Judges it and books it. */

/** Through a mapping: mapped.c */
void access_add(struct self *self, uint32_t index);
void access_add_anywhere(struct self *self, uint32_t index);
void access_load(struct self *self, uint32_t index);
void access_load_private(struct self *self, uint32_t index);
void access_tail(struct self *self, uint32_t index);

/** By system call: called.c */
void access_read(struct self *self, uint32_t index);
void access_read_direct(struct self *self, uint32_t index);
void access_write(struct self *self, uint32_t index);
void access_stat(struct self *self, uint32_t index);
void access_disturb(struct self *self, uint32_t index);

#endif
