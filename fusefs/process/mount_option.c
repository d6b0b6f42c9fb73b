/* SPDX-License-Identifier: MIT */
/*
 * Mount options: flags of the kernel's, wishes for libfuse and fusermount3, and remarks
 * that are meant for others.
 */

#include "mount_option.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>

enum use {
	FOR_LIBFUSE, /* hand it on, and note the flag */
	FLAG_ONLY,   /* note the flag; it is the store's business */
	FOR_OTHERS,  /* fstab's, mount(8)'s, systemd's: none of ours */
};

struct mount_option {
	const char *name; /* ends in '=' if a value belongs to it */
	enum use use;
	unsigned long set, clear; /* of options->mount_flags */
};

static const struct mount_option known[] = {
	{"ro", FOR_LIBFUSE, MS_RDONLY, 0},
	{"rw", FOR_LIBFUSE, 0, MS_RDONLY},
	{"suid", FOR_LIBFUSE, 0, MS_NOSUID},
	{"nosuid", FOR_LIBFUSE, MS_NOSUID, 0},
	{"dev", FOR_LIBFUSE, 0, MS_NODEV},
	{"nodev", FOR_LIBFUSE, MS_NODEV, 0},
	{"exec", FOR_LIBFUSE, 0, MS_NOEXEC},
	{"noexec", FOR_LIBFUSE, MS_NOEXEC, 0},
	{"sync", FOR_LIBFUSE, MS_SYNCHRONOUS, 0},
	{"async", FOR_LIBFUSE, 0, MS_SYNCHRONOUS},
	{"dirsync", FOR_LIBFUSE, MS_DIRSYNC, 0},
	{"atime", FOR_LIBFUSE, 0, MS_NOATIME},
	{"noatime", FOR_LIBFUSE, MS_NOATIME, 0},
	{"remount", FLAG_ONLY, MS_REMOUNT, 0},
	{"diratime", FLAG_ONLY, 0, MS_NODIRATIME},
	{"nodiratime", FLAG_ONLY, MS_NODIRATIME, 0},
	{"relatime", FLAG_ONLY, MS_RELATIME, 0},
	{"norelatime", FLAG_ONLY, 0, MS_RELATIME},
	{"strictatime", FLAG_ONLY, MS_STRICTATIME, 0},
	{"nostrictatime", FLAG_ONLY, 0, MS_STRICTATIME},
	{"lazytime", FLAG_ONLY, 0, 0},
	{"nolazytime", FLAG_ONLY, 0, 0},

	{"allow_other", FOR_LIBFUSE, 0, 0},
	{"allow_root", FOR_LIBFUSE, 0, 0},
	{"auto_unmount", FOR_LIBFUSE, 0, 0},
	{"fsname=", FOR_LIBFUSE, 0, 0},
	{"subtype=", FOR_LIBFUSE, 0, 0},
	{"context=", FOR_LIBFUSE, 0, 0},
	{"fscontext=", FOR_LIBFUSE, 0, 0},
	{"defcontext=", FOR_LIBFUSE, 0, 0},
	{"rootcontext=", FOR_LIBFUSE, 0, 0},

	{"default_permissions", FOR_OTHERS, 0, 0}, /* always on */
	{"clone_fd", FOR_OTHERS, 0, 0},		   /* likewise */
	{"defaults", FOR_OTHERS, 0, 0},
	{"auto", FOR_OTHERS, 0, 0},
	{"noauto", FOR_OTHERS, 0, 0},
	{"user", FOR_OTHERS, 0, 0},
	{"user=", FOR_OTHERS, 0, 0},
	{"users", FOR_OTHERS, 0, 0},
	{"nouser", FOR_OTHERS, 0, 0},
	{"owner", FOR_OTHERS, 0, 0},
	{"noowner", FOR_OTHERS, 0, 0},
	{"group", FOR_OTHERS, 0, 0},
	{"nogroup", FOR_OTHERS, 0, 0},
	{"nofail", FOR_OTHERS, 0, 0},
	{"fail", FOR_OTHERS, 0, 0},
	{"_netdev", FOR_OTHERS, 0, 0},
	{"comment=", FOR_OTHERS, 0, 0},
	{"uhelper=", FOR_OTHERS, 0, 0},
	{"helper=", FOR_OTHERS, 0, 0},
	/* What mount(8) finds in the list of mounts and repeats when remounting. */
	{"user_id=", FOR_OTHERS, 0, 0},
	{"group_id=", FOR_OTHERS, 0, 0},
	{"max_read=", FOR_OTHERS, 0, 0},
	{"blksize=", FOR_OTHERS, 0, 0},
};

static bool matches(const struct mount_option *candidate, const char *option)
{
	const size_t len = strlen(candidate->name);

	if (candidate->name[len - 1] == '=')
		return strncmp(option, candidate->name, len) == 0;
	return strcmp(option, candidate->name) == 0;
}

static const struct mount_option *find(const char *option)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (matches(&known[i], option))
			return &known[i];
	return NULL;
}

static void note_flags(struct options *options, const struct mount_option *known_option)
{
	options->mount_flags |= known_option->set;
	options->mount_flags &= ~known_option->clear;
	options->read_only = options->mount_flags & MS_RDONLY;
	options->noatime = options->mount_flags & MS_NOATIME;
	options->nodiratime = options->mount_flags & MS_NODIRATIME;
	options->remount = options->mount_flags & MS_REMOUNT;
}

int mount_option_set(struct options *options, const char *option)
{
	const struct mount_option *known_option;

	/* Everybody's own remarks, such as x-systemd.automount. */
	if (strncmp(option, "x-", 2) == 0 || strncmp(option, "X-", 2) == 0)
		return 0;
	known_option = find(option);
	if (!known_option)
		return -EINVAL;
	note_flags(options, known_option);
	if (strcmp(option, "allow_other") == 0 || strcmp(option, "allow_root") == 0)
		options->allow_other = true;
	if (known_option->use == FOR_LIBFUSE &&
	    fuse_opt_add_opt_escaped(&options->fuse_options, option) < 0)
		return -ENOMEM;
	return 0;
}
