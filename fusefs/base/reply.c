/* SPDX-License-Identifier: MIT */
/*
 * Reply: where a negative errno becomes a positive one.
 */

#include "reply.h"

#include <assert.h>
#include <errno.h>

void reply_status(fuse_req_t req, int status)
{
	assert(status <= 0);
	fuse_reply_err(req, status == -ENOSYS ? EOPNOTSUPP : -status);
}

void reply_never_again(fuse_req_t req)
{
	fuse_reply_err(req, ENOSYS);
}
