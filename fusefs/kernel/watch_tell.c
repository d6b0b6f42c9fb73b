/* SPDX-License-Identifier: MIT */
/*
 * Watch: from events of the store to notifications of the kernel.
 *
 * An answer of ours can be on its way while we notify. If it is about an inode that the
 * kernel knows, it carries an older version than the notification and is not believed
 * (fuse_change_attributes(), attr_version). If the kernel does not know the inode yet,
 * it says so, and we try again until it does or has no need to. An answer to a LOOKUP
 * in a directory comes before the notification of a name there, which waits for the
 * directory's lock (fuse_reverse_inval_entry()); an answer that confirms a name the
 * kernel had may come after it, and confirms what nobody finds any more.
 *
 * Our own changes are events, too. They are told like any other, at the cost of a
 * GETATTR when somebody asks; but a name that is what the kernel was told is left
 * alone, because a directory whose name is taken away is nameless to whoever is in it.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hidden_name.h"
#include "log.h"
#include "name_teller.h"
#include "notifier.h"
#include "store_stat.h"
#include "watch_internal.h"

#define NAME_EVENTS (IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)
/* An answer takes as long as the one who waits for it to get a processor. */
#define RETRIES_MAX 1000

/* ------------------------------------------------------------------ attributes */

static int forget_attributes(struct watch *watch, struct inode *inode)
{
	int status;

	atomic_fetch_add(&watch->stats.notifications, 1);
	status = notifier_tell_changed(inode);
	if (status == 0 && S_ISDIR(inode->type))
		name_teller_forget_listing(inode->daemon, inode->nodeid);
	return status;
}

/* The job's own: inode->watch_tries, watch_retry. Consumes the reference if it stays.
 */
static bool retry_later(struct watch *watch, struct inode *inode)
{
	if (inode->watch_tries > 0)
		return false; /* it is in the list */
	inode->watch_tries = 1;
	cds_list_add_tail(&inode->watch_retry, &watch->retries);
	return true;
}

/* @return whether the reference was consumed */
static bool attributes_changed(struct watch *watch, struct inode *inode)
{
	/* Of what was read at once the kernel is told once. */
	if (inode->watch_read == watch->reads)
		return false;
	inode->watch_read = watch->reads;
	return forget_attributes(watch, inode) == -ENOENT && retry_later(watch, inode);
}

static void try_again(struct watch *watch)
{
	struct inode *inode, *next;

	cds_list_for_each_entry_safe(inode, next, &watch->retries, watch_retry) {
		/* Ours alone: the kernel has forgotten it, or was never answered. */
		if (atomic_load(&inode->refs) > 1 &&
		    inode->watch_tries++ < RETRIES_MAX &&
		    forget_attributes(watch, inode) == -ENOENT)
			continue;
		cds_list_del(&inode->watch_retry);
		inode->watch_tries = 0;
		inode_put(inode, 1);
	}
}

/* ----------------------------------------------------------------------- names */

/* Whether a name stands for what we have told the kernel that it does. */
static bool is_as_told(struct inode *dir, const char *name)
{
	struct inode *inode = inode_table_find(dir->daemon, dir->fd, name);
	bool as_told;

	if (!inode)
		return false;
	as_told = inode_table_is_named(inode, dir->nodeid, name);
	inode_put(inode, 1);
	return as_told;
}

static void name_changed(struct watch *watch, struct inode *dir, const char *name)
{
	if (name_is_hidden(dir, name) || is_as_told(dir, name))
		return;
	atomic_fetch_add(&watch->stats.notifications, 1);
	/* If the kernel knows neither, all the better. */
	name_teller_forget(dir->daemon, dir->nodeid, name);
}

/* -------------------------------------------------------------------- overflow */

static void check_name(struct watch *watch, const struct inode *inode)
{
	fuse_ino_t parent;
	struct inode *dir;
	char *name;

	if (!inode_table_name_of(inode, &parent, &name))
		return;
	dir = inode_table_find_nodeid(inode->daemon->inodes, parent);
	if (dir) {
		name_changed(watch, dir, name);
		inode_put(dir, 1);
	}
	free(name);
}

/* Events were lost: everything that the kernel may have is looked at. */
static void tell_all(struct watch *watch)
{
	struct inode_table *table = watch->daemon->inodes;
	struct inode *inode;
	fuse_ino_t *nodeids;
	size_t count;

	atomic_fetch_add(&watch->stats.overflows, 1);
	log_msg(LOG_NOTICE, "the store has had more changes than its queue holds: the "
			    "kernel is made to ask for everything again");
	while (inode_table_all(table, &nodeids, &count) < 0)
		usleep(1000); /* out of memory; nothing else may be done before */
	watch->reads++;
	for (size_t i = 0; i < count; i++) {
		inode = inode_table_find_nodeid(table, nodeids[i]);
		if (!inode)
			continue;
		check_name(watch, inode);
		if (!attributes_changed(watch, inode))
			inode_put(inode, 1);
	}
	free(nodeids);
}

/* ---------------------------------------------------------------------- events */

static void tell(struct watch *watch, const struct inotify_event *event)
{
	struct inode *inode;
	bool consumed = false;

	atomic_fetch_add(&watch->stats.events, 1);
	if (event->mask & IN_Q_OVERFLOW) {
		tell_all(watch);
		return;
	}
	inode = watch_find(watch, event->wd);
	if (!inode)
		return;
	if (event->mask & IN_IGNORED)
		watch_ended(watch, inode, event->wd);
	if (event->len > 0 && event->mask & NAME_EVENTS)
		name_changed(watch, inode, event->name);
	/* The attributes of what is in a directory are not the directory's. */
	if (event->len == 0 || !(event->mask & IN_ATTRIB))
		consumed = attributes_changed(watch, inode);
	if (!consumed)
		inode_put(inode, 1);
}

bool watch_tell(struct watch *watch)
{
	const struct inotify_event *event;
	ssize_t len;

	try_again(watch);
	while ((len = read(watch->fd, watch->buffer, sizeof(watch->buffer))) > 0) {
		watch->reads++;
		for (const char *at = watch->buffer; at < watch->buffer + len;
		     at += sizeof(*event) + event->len) {
			event = (const void *)at;
			tell(watch, event);
		}
	}
	return !cds_list_empty(&watch->retries);
}
