/* SPDX-License-Identifier: MIT */
/*
 * Reply: where a negative errno becomes a positive one.
 */

#include "reply.h"

#include <assert.h>

void reply_status(fuse_req_t req, int status)
{
	assert(status <= 0);
	fuse_reply_err(req, -status);
}
