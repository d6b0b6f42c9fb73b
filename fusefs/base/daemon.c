/* SPDX-License-Identifier: MIT */
/* What threads of the daemon may do. */

#include "daemon.h"

#include "worker_pool.h"

bool daemon_may_wait_for_kernel(const struct daemon *daemon)
{
	return worker_pool_is_mine(daemon->notifications) ||
	       worker_pool_is_mine(daemon->range_operations);
}
