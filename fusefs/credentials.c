/* SPDX-License-Identifier: MIT */
/*
 * Credentials: a thread takes its caller's identity, and keeps one privilege.
 *
 * Changing the file-system user away from root makes the kernel drop every capability
 * that concerns files; changing it back restores them. In between we raise what a
 * creation needs although the caller himself need not have it:
 *
 *   CAP_DAC_OVERRIDE  his right to write the directory was checked by the kernel, with
 *                     his supplementary groups, which the store would not see
 *   CAP_FSETID        likewise whether he may keep the set-group-id bit; the kernel has
 *                     taken it out of the mode if not
 *   CAP_MKNOD         for device nodes only; checked by the kernel as well
 *
 * Who changes a file's bytes does so with root's user id, through a descriptor that is
 * open already, but without CAP_FSETID. Where group membership decides on the
 * set-group-id bit the thread takes the caller's groups, too; finding them out takes
 * reading a file in /proc, so only there.
 *
 * The C library's setfsuid() and setfsgid() are plain system calls, so they concern the
 * calling thread alone, unlike setuid() and its setgroups(). The umask belongs to what
 * threads of a process share until they say otherwise, which is said once per thread.
 */

#include "credentials.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As many of anybody's groups as we look at. */
#define GROUPS_MAX 1024

/* A thread's umask, once it has one of its own. */
static _Thread_local bool umask_is_own;
static _Thread_local mode_t umask_now;
/* A thread's effective capabilities, to go back to. */
static _Thread_local struct __user_cap_data_struct caps_before[2];
/* A thread's own groups while it has a caller's; none_taken otherwise. */
enum { none_taken = -1 };
static _Thread_local int groups_before = none_taken;
static _Thread_local gid_t own_groups[GROUPS_MAX];

static uint32_t cap_bit(unsigned cap)
{
	return UINT32_C(1) << cap;
}

static int caps_get(struct __user_cap_data_struct caps[2])
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};

	return syscall(SYS_capget, &header, caps) < 0 ? -errno : 0;
}

static int caps_set(const struct __user_cap_data_struct caps[2])
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};

	return syscall(SYS_capset, &header, caps) < 0 ? -errno : 0;
}

static int take_umask(mode_t mask)
{
	if (umask_is_own && umask_now == mask)
		return 0;
	if (!umask_is_own && unshare(CLONE_FS) < 0)
		return -errno;
	umask(mask);
	umask_is_own = true;
	umask_now = mask;
	return 0;
}

static void back_to_root(void)
{
	setfsuid(0);
	setfsgid(getegid());
}

/* All capabilities below are among the first 32. */
static int keep_caps(enum credentials_extra extra)
{
	struct __user_cap_data_struct caps[2];
	uint32_t wanted = cap_bit(CAP_DAC_OVERRIDE) | cap_bit(CAP_FSETID);
	int status;

	if (extra & CREDENTIALS_MKNOD)
		wanted |= cap_bit(CAP_MKNOD);
	status = caps_get(caps);
	if (status < 0)
		return status;
	caps[0].effective |= wanted & caps[0].permitted;
	return caps_set(caps);
}

int credentials_enter(fuse_req_t req, enum credentials_extra extra)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	int status;

	status = take_umask(ctx->umask);
	if (status < 0 || !daemon_of(req)->privileged)
		return status;
	setfsgid(ctx->gid);
	setfsuid(ctx->uid);
	/* They do not say whether they worked; asking for the impossible does. */
	if ((uid_t)setfsuid((uid_t)-1) != ctx->uid ||
	    (gid_t)setfsgid((gid_t)-1) != ctx->gid) {
		back_to_root();
		return -EPERM;
	}
	if (ctx->uid != 0) {
		status = keep_caps(extra);
		if (status < 0)
			back_to_root();
	}
	return status;
}

void credentials_leave(fuse_req_t req)
{
	if (daemon_of(req)->privileged)
		back_to_root();
}

/* Whether the store keeps the set-group-id bit for members of the file's group. */
static bool groups_decide(int fd)
{
	struct stat attr;

	return fstat(fd, &attr) == 0 && (attr.st_mode & (S_ISGID | S_IXGRP)) == S_ISGID;
}

/* A caller who is gone, or whom our /proc does not show, has his first group. */
static void take_groups(fuse_req_t req)
{
	gid_t groups[GROUPS_MAX];
	int n = fuse_req_getgroups(req, GROUPS_MAX, groups);
	const int own = getgroups(GROUPS_MAX, own_groups);

	if (n < 0)
		n = 0;
	else if (n > GROUPS_MAX)
		n = GROUPS_MAX;
	setfsgid(fuse_req_ctx(req)->gid);
	/* For this thread alone, unlike the C library's. */
	if (own >= 0 && syscall(SYS_setgroups, n, groups) == 0)
		groups_before = own;
}

static void give_groups_back(void)
{
	if (groups_before != none_taken)
		syscall(SYS_setgroups, groups_before, own_groups);
	groups_before = none_taken;
	setfsgid(getegid());
}

bool credentials_fsetid_drop(fuse_req_t req, int fd)
{
	struct __user_cap_data_struct caps[2];

	if (!daemon_of(req)->privileged || fuse_req_ctx(req)->uid == 0)
		return false;
	if (caps_get(caps_before) < 0)
		return false;
	memcpy(caps, caps_before, sizeof(caps));
	caps[0].effective &= ~cap_bit(CAP_FSETID);
	if (groups_decide(fd))
		take_groups(req);
	if (caps_set(caps) == 0)
		return true;
	give_groups_back();
	return false;
}

void credentials_fsetid_restore(void)
{
	caps_set(caps_before);
	give_groups_back();
}
