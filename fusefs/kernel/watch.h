/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_WATCH_H
#define FUSEFS_WATCH_H

/*
 * Being told of changes behind the mount, with --watch: what the store tells us of
 * (inotify) the kernel may keep for long, since we take it back when it changes. What
 * is not watched is kept for --attr-timeout and --entry-timeout, as without.
 *
 * An answer may be kept for long if what it says was watched before it was looked up;
 * so whoever answers asks here first:
 *
 *   attributes  the inode is watched, whatever its names are
 *   a name      the directory is watched; and the file has no other name
 *
 * A file that is open for writing on the mount is not watched: each write of ours would
 * be an event.
 */

#include "inode_table.h"

/** For how long the kernel may keep an answer. */
struct trust {
	bool attributes;
	bool name;
};

struct watch;

/** Start to watch, if --watch was given; daemon->watch is NULL otherwise.
 *  @return 0 or a negative errno, and the log says why */
int watch_create(struct daemon *daemon, struct watch **ret_watch);
/** No events any more. Before the pools are drained; NULL is fine. */
void watch_stop(struct watch *watch);
/** After the inode table has gone. NULL is fine. */
void watch_free(struct watch *watch);

/**
 * Watch an inode, if it is not and can be.
 * @return whether what is looked up of it from now on may be kept for long
 * Locks taken: the watch's own. Never waits for the kernel's answer to anything.
 */
bool watch_inode(struct inode *inode);

/** Whether it is watched already. */
bool watch_has(const struct inode *inode);

/**
 * Watch it no longer: it is being opened for writing, or goes away.
 * @return whether the kernel may have attributes that nobody takes back now
 */
bool watch_drop(struct inode *inode);

/** Seconds for which the kernel may keep attributes, and a name. */
double watch_attr_timeout(const struct daemon *daemon, struct trust trust);
double watch_entry_timeout(const struct daemon *daemon, struct trust trust);

/** Counters, since the start. */
struct watch_stats {
	_Atomic uint64_t watches;	/* how many there are now */
	_Atomic uint64_t refused;	/* not watched: the limit, no right to read */
	_Atomic uint64_t events;	/* read */
	_Atomic uint64_t notifications; /* sent because of them */
	_Atomic uint64_t overflows;	/* how often events were lost */
};

/** NULL without --watch. */
const struct watch_stats *watch_stats(const struct daemon *daemon);

#endif
