/* SPDX-License-Identifier: MIT */
#ifndef RANGE_ORACLE_VERIFY_H
#define RANGE_ORACLE_VERIFY_H

/*
 * The great audit, while everybody stands still: every page of the file, as each
 * observer sees it, against the model and the accounts.
 */

#include "oracle.h"

/** What did not agree, over all audits and observers. */
struct audit {
	uint64_t audits;
	uint64_t pages;	       /* compared */
	uint64_t pages_wrong;  /* not the page that the model has there */
	uint64_t adds_lost;    /* additions that were made and are not on the page */
	uint64_t adds_doubled; /* that are on the page and were not made */
	uint64_t writes_wrong; /* slots without the latest write(2) */
};

/**
 * @param view        the caller's
 * @param store_path  of the file in the store, to be compared as well; or NULL
 * @param audit       added to
 * What does not agree is reported as a violation as well.
 */
void verify_all(struct oracle *oracle, const struct view *view, const char *store_path,
		struct audit *audit);

#endif
