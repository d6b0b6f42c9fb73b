/* SPDX-License-Identifier: MIT */
/*
 * What the kernel knows of: all inodes, each by its number, each by its last name.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "inode_table_internal.h"

struct inode *inode_table_find_nodeid(struct inode_table *table, fuse_ino_t nodeid)
{
	struct inode *inode;

	pthread_mutex_lock(&table->lock);
	inode = nodeid_find(table->nodeids, nodeid);
	if (inode)
		inode_get(inode);
	pthread_mutex_unlock(&table->lock);
	return inode;
}

bool inode_table_is_named(struct inode *inode, fuse_ino_t parent, const char *name)
{
	struct inode_table *table = inode->daemon->inodes;
	bool is_named;

	pthread_mutex_lock(&table->lock);
	is_named = inode->name && inode->parent == parent &&
		   strcmp(inode->name, name) == 0;
	pthread_mutex_unlock(&table->lock);
	return is_named;
}

bool inode_table_name_of(const struct inode *inode, fuse_ino_t *ret_parent,
			 char **ret_name)
{
	struct inode_table *table = inode->daemon->inodes;
	char *name;

	pthread_mutex_lock(&table->lock);
	name = inode->name ? strdup(inode->name) : NULL;
	*ret_parent = inode->parent;
	pthread_mutex_unlock(&table->lock);
	*ret_name = name;
	return name != NULL;
}

int inode_table_all(struct inode_table *table, fuse_ino_t **ret_nodeids,
		    size_t *ret_count)
{
	struct inode *inode;
	fuse_ino_t *nodeids;
	size_t n = 0;

	pthread_mutex_lock(&table->lock);
	nodeids = calloc(table->inode_count, sizeof(*nodeids));
	for (size_t i = 0; nodeids && i < table->bucket_count; i++)
		cds_hlist_for_each_entry_2(inode, &table->buckets[i], node)
			nodeids[n++] = inode->nodeid;
	pthread_mutex_unlock(&table->lock);
	*ret_nodeids = nodeids;
	*ret_count = n;
	return nodeids ? 0 : -ENOMEM;
}
