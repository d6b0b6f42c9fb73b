/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_CACHE_SETUP_H
#define FUSEFS_CACHE_SETUP_H

#include "daemon.h"

/** Choose daemon->max_request_bytes: 512 KiB, or what the cache has room for. What is
 *  wrong is logged. @return 0 or -EINVAL */
int cache_choose_request_size(struct daemon *daemon);

/** Make daemon->cache as the options say. What is wrong is logged.
 *  @return 0 or a negative errno */
int cache_setup(struct daemon *daemon);

/** Whether written bytes have not reached the store and never will. */
bool cache_has_lost_data(void);

#endif
