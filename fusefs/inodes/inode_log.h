/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_INODE_LOG_H
#define FUSEFS_INODE_LOG_H

#include "inode_table.h"
#include "log.h"

/** As log_msg() and log_kind() (log.h), with the inode's number and its path in the source
 *  directory in front. */
__attribute__((format(printf, 3, 4))) void log_inode(int level, struct inode *inode,
						     const char *format, ...);
__attribute__((format(printf, 4, 5))) void log_inode_kind(int level, const char *kind,
							  struct inode *inode,
							  const char *format, ...);

#endif
