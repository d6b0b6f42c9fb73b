/* SPDX-License-Identifier: MIT */
/* The begin and the end of an inode. */

#include "inode_life.h"

#include <assert.h>

#include "dirty_hold.h"
#include "kept_fd.h"
#include "open_file.h"
#include "shut_files.h"
#include "standing_open.h"
#include "watch.h"

static void init(struct inode *inode)
{
	inode->store_fd = inode->store_write_fd = inode->kept_fd = -1;
	CDS_INIT_LIST_HEAD(&inode->dirty_node);
	CDS_INIT_LIST_HEAD(&inode->open_files);
	pthread_mutex_init(&inode->open_lock, NULL);
	pthread_mutex_init(&inode->sample_lock, NULL);
	pthread_mutex_init(&inode->revalidate_lock, NULL);
	atomic_init(&inode->torn, shut_files_has(inode->daemon->shut_files, inode->fd));
}

/* Its watch first, through which others still find it. */
static void fini(struct inode *inode)
{
	assert(!inode->revalidation);
	watch_drop(inode);
	standing_open_forget(inode);
	open_file_free_left(inode);
	dirty_hold_forget(inode);
	cl_mapping_free(inode->mapping);
	inode->mapping = NULL;
	store_close(inode);
	kept_fd_drop(inode);
	pthread_mutex_destroy(&inode->revalidate_lock);
	pthread_mutex_destroy(&inode->sample_lock);
	pthread_mutex_destroy(&inode->open_lock);
}

const struct inode_hooks inode_life_hooks = {
	.init = init,
	.fini = fini,
};
