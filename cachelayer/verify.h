/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_VERIFY_H
#define CACHELAYER_VERIFY_H

/*
 * Guarding clean pages with a hash (--verify): XXH3 over the page, taken when its bytes
 * become what the store has, looked at whenever they are used and before they are
 * dropped. A mismatch means that memory went bad or somebody wrote where he should not.
 * Without verify all of this does nothing.
 */

#include "cachelayer/mapping.h"
#include "page.h"

/** The bytes are now the store's. Page lock held, or page under writeback. */
void verify_update(struct cl_mapping *mapping, struct cl_page *page);

/** @return true, or false for a clean page that has changed: reported. Page lock held.
 */
bool verify_check(struct cl_mapping *mapping, struct cl_page *page);

/** The last look, before a clean page goes. Page lock held. */
void verify_before_reclaim(struct cl_cache *cache, struct cl_page *page);

#endif
