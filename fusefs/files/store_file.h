/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_STORE_FILE_H
#define FUSEFS_STORE_FILE_H

/*
 * The store descriptors that serve a file.
 *
 * However often a file is open on the mount, the store's file is open once: for
 * reading at first, for both as soon as somebody writes, for as long as anybody uses
 * it. A file that we may write but not read gets a second, write-only descriptor
 * beside. All input and output is at explicit offsets, so nobody shares a position.
 */

#include "inode_table.h"

/** What somebody needs a store descriptor for. */
enum store_access {
	STORE_READ = 1,
	STORE_WRITE = 2,  /* and for reading as well, if that is permitted */
	STORE_APPEND = 4, /* if nothing else is permitted */
};

/** Close the store's file, whoever uses it. Required: open_lock, or that nobody else has
 *  the inode. */
void store_close(struct inode *inode);

/**
 * Use the store's file apart from any open of the mount: descriptors stay open, and
 * their numbers the same, until store_put().
 * @param access  of enum store_access
 * @return 0, or what open(2) of the store's file said
 * Locks taken: open_lock.
 */
int store_get(struct inode *inode, int access);
/** The caller still holds a reference of the inode. */
void store_put(struct inode *inode);

/** Whether the caller's use is the only one. Somebody may come at any time. */
bool store_is_mine(struct inode *inode);

/**
 * Hand over the descriptor a file was created with, for the open_file_get() that
 * follows: it may write whatever the file's mode says, which a new one could not.
 * @param fd  read-write; consumed
 * Locks taken: open_lock.
 */
void store_adopt(struct inode *inode, int fd);

/** The store's file once more, for an append with O_APPEND; with our own rights.
 *  @return a descriptor, to be closed, or a negative errno. Blocks for the store. */
int store_open_to_append(struct inode *inode);

/** As store_get(). Required: open_lock, which is given up meanwhile. */
int store_use(struct inode *inode, int access);

/** Let the store's descriptor move the access time, or not, as those who have the file
 *  open want it. Required: open_lock. */
void store_set_noatime(struct inode *inode);

#endif
