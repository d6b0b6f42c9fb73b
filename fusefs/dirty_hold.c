/* SPDX-License-Identifier: MIT */
/*
 * Dirty holds. There are some only after the store has failed, so one list for the
 * whole daemon does, and looking at it whenever a file is closed does as well.
 */

#include "dirty_hold.h"

#include "open_file.h"

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

/* One that is clean, off the list; or NULL. */
static struct inode *take_clean(void)
{
	struct inode *inode, *clean = NULL;

	pthread_mutex_lock(&held_lock);
	cds_list_for_each_entry(inode, &held, dirty_node)
	{
		if (cl_mapping_dirty_pages(inode->mapping) == 0) {
			clean = inode;
			break;
		}
	}
	if (clean) {
		cds_list_del(&clean->dirty_node);
		clean->dirty_hold = false;
	}
	pthread_mutex_unlock(&held_lock);
	return clean;
}

void dirty_hold_sweep(void)
{
	struct inode *inode;

	while ((inode = take_clean())) {
		store_put(inode);
		inode_put(inode, 1);
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
