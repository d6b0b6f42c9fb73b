/* SPDX-License-Identifier: MIT */
/* Hidden names: where our journals are. */

#include "hidden_name.h"

#include "shift_dir.h"

bool name_is_hidden(const struct inode *dir, const char *name)
{
	return dir->nodeid == FUSE_ROOT_ID && shift_dir_is_reserved(name);
}
