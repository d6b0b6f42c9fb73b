/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_INODE_LIFE_H
#define FUSEFS_INODE_LIFE_H

#include "inode_table.h"

/** What every inode gets when it is made, and gives back at its end: that which is about
 *  its bytes, its watch, and whether recovery has shut it. Its mapping is freed, with its
 *  dirty pages written, and the store's file closed. */
extern const struct inode_hooks inode_life_hooks;

#endif
