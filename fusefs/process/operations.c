/* SPDX-License-Identifier: MIT */
/*
 * The table of requests.
 *
 * Left out on purpose: getlk, setlk and flock (the kernel keeps locks by itself, and
 * all who could meet in one are on this mount), ioctl, poll, bmap, and write, for which
 * write_buf stands. TMPFILE and STATX come as CREATE and GETATTR (new_requests.h).
 */

#include "operations.h"

#include "kernel_question.h"
#include "ops_attr.h"
#include "ops_data.h"
#include "ops_dir.h"
#include "ops_namespace.h"
#include "ops_xattr.h"
#include "session.h"

const struct fuse_lowlevel_ops operations = {
	.init = session_init,

	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.readlink = op_readlink,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.symlink = op_symlink,
	.create = op_create,
	.link = op_link,
	.unlink = op_unlink,
	.rmdir = op_rmdir,
	.rename = op_rename,

	.opendir = op_opendir,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.releasedir = op_releasedir,
	.fsyncdir = op_fsyncdir,

	.getattr = op_getattr,
	.setattr = op_setattr,
	.statfs = op_statfs,
	.access = op_access,

	.getxattr = op_getxattr,
	.setxattr = op_setxattr,
	.listxattr = op_listxattr,
	.removexattr = op_removexattr,

	.open = op_open,
	.read = op_read,
	.write_buf = op_write_buf,
	.flush = op_flush,
	.release = op_release,
	.fsync = op_fsync,
	.lseek = op_lseek,
	.fallocate = op_fallocate,
	.copy_file_range = op_copy_file_range,
	.retrieve_reply = op_retrieve_reply,
};
