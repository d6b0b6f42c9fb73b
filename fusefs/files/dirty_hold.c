/* SPDX-License-Identifier: MIT */
/*
 * Dirty holds. There are some only after the store has failed, so one list for the
 * whole daemon does, and looking at it whenever a file is closed does as well.
 */

#include "dirty_hold.h"

#include <stdlib.h>

#include "open_file.h"
#include "parked_request.h"

static pthread_mutex_t held_lock = PTHREAD_MUTEX_INITIALIZER;
static CDS_LIST_HEAD(held); /* of inode->dirty_node, guarded by held_lock */

void dirty_hold_add(struct inode *inode)
{
	inode_get(inode);
	pthread_mutex_lock(&held_lock);
	inode->dirty_hold = true;
	cds_list_add_tail(&inode->dirty_node, &held);
	pthread_mutex_unlock(&held_lock);
}

/* One that is clean, or that nobody will ever read, off the list; or NULL. */
static struct inode *take_one(void)
{
	struct inode *inode, *found = NULL;

	pthread_mutex_lock(&held_lock);
	cds_list_for_each_entry(inode, &held, dirty_node) {
		if (cl_mapping_dirty_pages(inode->mapping) == 0 || inode->unlinked) {
			found = inode;
			break;
		}
	}
	if (found) {
		cds_list_del(&found->dirty_node);
		found->dirty_hold = false;
	}
	pthread_mutex_unlock(&held_lock);
	return found;
}

static void let_go(struct inode *inode)
{
	store_put(inode);
	inode_put(inode, 1);
}

/* Gate: EXCLUSIVE over the whole file. */
static void discard(struct parked_request *parked)
{
	struct inode *inode = parked->inode;

	if (inode->unlinked && store_is_mine(inode))
		cl_invalidate(inode->mapping, parked->entry.range);
	parked_request_leave(parked);
	free(parked);
	let_go(inode);
}

/* Removed, often to make room: its descriptor must not keep the room taken.
 * @return false if there is no memory: the inode is held again */
static bool discard_and_let_go(struct inode *inode)
{
	struct parked_request *parked = calloc(1, sizeof(*parked));

	if (!parked) {
		let_go(inode);
		return false;
	}
	parked->inode = inode;
	parked->run = discard;
	parked_request_enter(parked, CL_GATE_EXCLUSIVE,
			     (struct cl_range){0, CL_RANGE_EOF});
	return true;
}

void dirty_hold_sweep(void)
{
	struct inode *inode;
	bool done = false;

	while (!done && (inode = take_one())) {
		if (cl_mapping_dirty_pages(inode->mapping) == 0)
			let_go(inode);
		else
			done = !discard_and_let_go(inode);
	}
}

void dirty_hold_forget(struct inode *inode)
{
	pthread_mutex_lock(&held_lock);
	if (inode->dirty_hold)
		cds_list_del(&inode->dirty_node);
	inode->dirty_hold = false;
	pthread_mutex_unlock(&held_lock);
}
