/* SPDX-License-Identifier: MIT */
/* New requests under old names; see the header. */

#include "new_requests.h"

#include <linux/fuse.h>

/* Of TMPFILE libfuse reads so much before the name, of STATX as of GETATTR. */
#define LEAST_TMPFILE (sizeof(struct fuse_in_header) + sizeof(struct fuse_create_in))
#define LEAST_STATX   (sizeof(struct fuse_in_header) + sizeof(struct fuse_getattr_in))

static _Thread_local uint32_t was;

void new_requests_translate(struct fuse_buf *request)
{
	struct fuse_in_header *header = request->mem;

	was = 0;
	if (request->flags & FUSE_BUF_IS_FD || request->size < sizeof(*header))
		return;
	if (header->opcode == NEW_REQUEST_TMPFILE && request->size > LEAST_TMPFILE) {
		was = header->opcode;
		header->opcode = FUSE_CREATE;
	} else if (header->opcode == NEW_REQUEST_STATX &&
		   request->size >= LEAST_STATX) {
		was = header->opcode;
		header->opcode = FUSE_GETATTR;
	}
}

uint32_t new_requests_was(void)
{
	return was;
}
