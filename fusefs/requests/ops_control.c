/* SPDX-License-Identifier: MIT */
/* Control attributes: what SETXATTR and GETXATTR make of them. */

#include "ops_control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "control_value.h"
#include "fault_point.h"
#include "range_request.h"
#include "reply.h"
#include "stats.h"
#include "store_event.h"

#define PROTOCOL_VERSION "1"
/* Bytes by which counters may grow between two calls: many digits, some operations. */
#define STATS_GROWTH	 4096

bool control_is_ours(const char *name)
{
	return strncmp(name, CONTROL_PREFIX, strlen(CONTROL_PREFIX)) == 0;
}

/* ------------------------------------------------------- faults, in test builds only
 */

#define FAULT_VALUE_MAX 64

static bool is_fault(const char *name)
{
	return strcmp(name + strlen(CONTROL_PREFIX), "fault") == 0;
}

static void arm_fault(fuse_req_t req, struct inode *inode, const char *value,
		      size_t size)
{
	char text[FAULT_VALUE_MAX];

	if (size >= sizeof(text)) {
		reply_status(req, -EINVAL);
		return;
	}
	memcpy(text, value, size);
	text[size] = '\0';
	reply_status(req,
		     fault_arm(inode->nodeid == FUSE_ROOT_ID ? -1 : inode->fd, text));
}

/* --------------------------------------------------------------------- requests */

void control_set(fuse_req_t req, struct inode *inode, const char *name,
		 const char *value, size_t size, int flags)
{
	struct cl_range_op op;
	int status;

	if (FAULT_POINTS && is_fault(name)) {
		arm_fault(req, inode, value, size);
		return;
	}
	status = control_value_parse(name, value, size, &op);

	/* A control attribute always exists. So a client says XATTR_REPLACE, and on a
	 * file system that is not ours leaves no attribute behind. */
	if (status == 0 && flags & XATTR_CREATE)
		status = -EEXIST;
	if (status < 0)
		reply_status(req, status);
	else
		range_request_start(req, inode, &op, 0);
}

void control_remove(fuse_req_t req, const char *name)
{
	(void)name;
	reply_status(req, -ENODATA);
}

/* Who asks how long it is asks for it next, and counters grow meanwhile. */
static void answer(fuse_req_t req, const char *value, size_t size, size_t growth)
{
	const size_t len = strlen(value);

	if (size == 0)
		fuse_reply_xattr(req, len + growth);
	else if (len > size)
		reply_status(req, -ERANGE);
	else
		fuse_reply_buf(req, value, len);
}

/* EOPNOTSUPP says only that it cannot be done, and has to: programs know what to do then.
 * This is for people. */
static void tell_why(fuse_req_t req, struct inode *inode, size_t size)
{
	const int refused = atomic_load(&inode->refused);

	if (refused == 0)
		reply_status(req, -ENODATA);
	else
		answer(req, store_event_why_refused(refused), size, 0);
}

void control_get(fuse_req_t req, struct inode *inode, const char *name, size_t size)
{
	const char *what = name + strlen(CONTROL_PREFIX);
	char *json;

	if (strcmp(what, "version") == 0) {
		answer(req, PROTOCOL_VERSION, size, 0);
		return;
	}
	if (FAULT_POINTS && is_fault(name)) {
		char text[FAULT_VALUE_MAX];

		fault_describe(text, sizeof(text));
		answer(req, text, size, 0);
		return;
	}
	if (strcmp(what, "why") == 0) {
		tell_why(req, inode, size);
		return;
	}
	if (strcmp(what, "stats") != 0) {
		reply_status(req, -ENODATA);
		return;
	}
	json = inode->nodeid == FUSE_ROOT_ID ? stats_of_mount(inode->daemon)
					     : stats_of_inode(inode);
	if (json)
		answer(req, json, size, STATS_GROWTH);
	else
		reply_status(req, -ENOMEM);
	free(json);
}
