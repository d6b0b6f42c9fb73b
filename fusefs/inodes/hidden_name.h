/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_HIDDEN_NAME_H
#define FUSEFS_HIDDEN_NAME_H

#include "inode_table.h"

/** Whether a name is not shown: .foldfs and .foldfs-… in the root (shift_dir.h). */
bool name_is_hidden(const struct inode *dir, const char *name);

#endif
