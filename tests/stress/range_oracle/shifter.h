/* SPDX-License-Identifier: MIT */
#ifndef RANGE_ORACLE_SHIFTER_H
#define RANGE_ORACLE_SHIFTER_H

/*
 * The thread that rearranges the file.
 */

#include "oracle.h"
#include "verify.h"
#include "worker.h"

struct shifter {
	struct oracle *oracle;
	const struct view *view;
	struct self self; /* looks for itself right after each operation */
	const char *store_path;
	uint32_t next_identity;
	uint64_t *page; /* a buffer for stamping */
	struct latency took[OP_KINDS];
	struct audit audit;
};

/** Give the file its first pages. Call before anybody else uses it. */
void shifter_begin(struct shifter *shifter);
/** A thread's start routine; arg: struct shifter. Works for settings.seconds, or
 *  until something is found, and then says stop. */
void *shifter_run(void *arg);

#endif
