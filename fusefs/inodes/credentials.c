/* SPDX-License-Identifier: MIT */
/*
 * Credentials: a thread takes its caller's rights for one call on the store.
 *
 * Changing the file-system user away from root makes the kernel drop every capability
 * that concerns files from the effective ones; changing it back restores them. Others
 * that are good for anything here are not effective at all (privileges.c), and we have
 * no groups of our own (startup_fuse.c). So a user's rights are his ids, and nothing
 * has to be taken away; what is to be added, or taken from uid 0, is said by capset(2).
 * Everything is taken in an order in which what is needed for the next step is still
 * there, and given back in the opposite one.
 *
 * The C library's setfsuid() and setfsgid() are plain system calls, so they concern the
 * calling thread alone, unlike setuid() and its setgroups(). The umask belongs to what
 * threads of a process share until they say otherwise, which is said once per thread.
 *
 * Reading /proc costs as much as all the rest, and what a caller's user and group may
 * do is enough for almost everything. So that is tried first (credentials_call()).
 */

#include "credentials.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "caller.h"
#include "inode_table.h"
#include "kernel_compat.h"
#include "log.h"
#include "store_stat.h"

/* For this thread alone, unlike the C library's; with 32 bits everywhere. */
#ifdef SYS_setgroups32
#define SETGROUPS SYS_setgroups32
#else
#define SETGROUPS SYS_setgroups
#endif

/* What a thread has taken, and what it has of its own. */
static _Thread_local struct {
	bool umask_is_own;
	mode_t umask;

	bool own_caps_known;
	struct __user_cap_data_struct own_caps[2];

	enum {
		NOTHING,
		FOR_ROOT, /* what we have is right */
		USER_ONLY,
		IDS,	    /* user and group */
		EVERYTHING, /* and groups and capabilities */
		OWN,	    /* our capabilities, all of them */
	} taken;	    /* perhaps put aside */
	uid_t uid;
	gid_t gid;	    /* with EVERYTHING, as what follows */
	struct caller more; /* groups and capabilities */
} thread;

/* Each step takes memory from the kernel, which may have none for us (a control group
 * that is full). So often a step that must be made is tried, once a millisecond. */
#define TRIES_MAX 1000

/* -------------------------------------------------------------- the system calls */

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

/* They do not say whether they worked, not even that there was no memory for it; asking
 * for the impossible, which takes none, does. */
static int take_user(uid_t uid)
{
	setfsuid(uid);
	return (uid_t)setfsuid((uid_t)-1) == uid ? 0 : -EPERM;
}

static int take_group(gid_t gid)
{
	setfsgid(gid);
	return (gid_t)setfsgid((gid_t)-1) == gid ? 0 : -EPERM;
}

static int take_groups(size_t count, const gid_t *groups)
{
	return syscall(SETGROUPS, count, groups) < 0 ? -errno : 0;
}

/* Of ours, those that the caller has: effective, and nothing but that changes. */
static int take_caps(uint64_t caps)
{
	struct __user_cap_data_struct now[2];

	memcpy(now, thread.own_caps, sizeof(now));
	now[0].effective = now[0].permitted & (uint32_t)caps;
	now[1].effective = now[1].permitted & (uint32_t)(caps >> 32);
	return caps_set(now);
}

static int know_own_caps(void)
{
	int status = 0;

	if (!thread.own_caps_known)
		status = caps_get(thread.own_caps);
	thread.own_caps_known = status == 0;
	return status;
}

void credentials_own_changed(void)
{
	assert(thread.taken == NOTHING);
	thread.own_caps_known = false;
}

/* -------------------------------------------------------------- taking and giving */

/* Capabilities first: the rest takes them. */
static int try_to_give_back(void)
{
	const bool all = thread.taken == EVERYTHING;
	int status = 0;

	if (all || thread.taken == OWN)
		status = caps_set(thread.own_caps);
	if (status == 0 && (all || thread.taken == IDS || thread.taken == USER_ONLY))
		status = take_user(0);
	if (status == 0 && (all || thread.taken == IDS))
		status = take_group(getegid());
	if (status == 0 && all && thread.more.group_count > 0)
		status = take_groups(0, NULL);
	return status;
}

static bool wait_to_try_again(unsigned *tries)
{
	const struct timespec moment = {.tv_nsec = 1000000};

	if (++*tries >= TRIES_MAX)
		return false;
	nanosleep(&moment, NULL);
	return true;
}

/* A thread that kept anything of a caller's would serve others with it. */
static void give_back(void)
{
	unsigned tries = 0;
	int status;

	while ((status = try_to_give_back()) < 0) {
		if (wait_to_try_again(&tries))
			continue;
		log_msg(LOG_CRIT, "a thread cannot give its caller's rights back: %s",
			strerror(-status));
		abort();
	}
}

static int take_ids(void)
{
	const int status = take_group(thread.gid);

	return status < 0 ? status : take_user(thread.uid);
}

static int take_everything(void)
{
	int status = 0;

	if (thread.more.group_count > 0)
		status = take_groups(thread.more.group_count, thread.more.groups);
	if (status == 0)
		status = take_ids();
	return status < 0 ? status : take_caps(thread.more.caps);
}

/* What thread.taken says. */
static int take(void)
{
	int status = 0;

	if (thread.taken == EVERYTHING)
		status = take_everything();
	else if (thread.taken == IDS)
		status = take_ids();
	else if (thread.taken == USER_ONLY)
		status = take_user(thread.uid);
	else if (thread.taken == OWN)
		status = take_caps(UINT64_MAX);
	if (status == 0)
		return 0;
	give_back();
	return -EPERM;
}

static int take_or_nothing(void)
{
	const int status = take();

	if (status < 0)
		thread.taken = NOTHING;
	return status;
}

/* Root's own blocks are ours. */
static int enter_user(uid_t uid)
{
	thread.taken = uid == 0 ? FOR_ROOT : USER_ONLY;
	thread.uid = uid;
	return take_or_nothing();
}

int credentials_enter(fuse_req_t req, enum credentials_extent extent)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	int status;

	assert(thread.taken == NOTHING);
	if (!daemon_of(req)->privileged)
		return 0;
	if (extent == CREDENTIALS_BYTES)
		return enter_user(ctx->uid);
	thread.uid = ctx->uid;
	thread.gid = ctx->gid;
	/* From uid 0 capabilities have to be taken. */
	if (extent == CREDENTIALS_IDS && ctx->uid != 0) {
		thread.taken = IDS;
		return take_or_nothing();
	}
	status = know_own_caps();
	if (status < 0)
		return status;
	if (extent == CREDENTIALS_IDS || !caller_look_up(req, &thread.more)) {
		thread.more.group_count = 0;
		thread.more.caps = 0;
	}
	thread.taken = EVERYTHING;
	return take_or_nothing();
}

void credentials_enter_own(void)
{
	const struct __user_cap_data_struct *caps = thread.own_caps;

	assert(thread.taken == NOTHING);
	if (know_own_caps() < 0 || (caps[0].effective == caps[0].permitted &&
				    caps[1].effective == caps[1].permitted))
		return;
	thread.taken = OWN;
	(void)take_or_nothing();
}

void credentials_leave(void)
{
	give_back();
	thread.taken = NOTHING;
}

int credentials_enter_bytes(fuse_req_t req, int fd)
{
	struct stat attr;

	if (fstat(fd, &attr) == 0 && attr.st_mode & (S_ISUID | S_ISGID))
		return credentials_enter(req, CREDENTIALS_ALL);
	return credentials_enter(req, CREDENTIALS_BYTES);
}

bool credentials_enter_owner(const struct inode *inode)
{
	const uid_t owner = atomic_load_explicit(&inode->owner, memory_order_relaxed);

	if (!inode->daemon->privileged || thread.taken != NOTHING || owner == 0)
		return false;
	if (!(atomic_load(&inode->mode) & (S_ISUID | S_ISGID)))
		return enter_user(owner) == 0;
	if (know_own_caps() < 0)
		return false;
	thread.uid = owner;
	thread.gid = getegid();
	thread.more.group_count = 0;
	thread.more.caps = UINT64_C(1) << CAP_FSETID;
	thread.taken = EVERYTHING;
	return take_or_nothing() == 0;
}

void credentials_pause(void)
{
	give_back();
}

int credentials_resume(void)
{
	unsigned tries = 0;

	/* Has been taken before, so it can be again, but for memory. */
	while (take() < 0)
		if (!wait_to_try_again(&tries))
			return -ENOMEM;
	return 0;
}

/* ------------------------------------------------------------------- calls */

static bool is_refusal(int status)
{
	return status == -EACCES || status == -EPERM;
}

static bool has_more(void)
{
	return thread.more.group_count > 0 || thread.more.caps != 0;
}

int credentials_call(fuse_req_t req, int (*call)(void *arg), void *arg)
{
	int status = credentials_enter(req, CREDENTIALS_IDS);

	if (status < 0)
		return status;
	status = call(arg);
	credentials_leave();
	if (!is_refusal(status) || !daemon_of(req)->privileged ||
	    credentials_enter(req, CREDENTIALS_ALL) < 0)
		return status;
	if (has_more())
		status = call(arg);
	credentials_leave();
	return status;
}

int credentials_call_with_all(fuse_req_t req, int (*call)(void *arg), void *arg)
{
	int status = credentials_enter(req, CREDENTIALS_ALL);

	if (status == 0)
		status = call(arg);
	credentials_leave();
	return status;
}

static int take_umask(mode_t mask)
{
	if (thread.umask_is_own && thread.umask == mask)
		return 0;
	if (!thread.umask_is_own && unshare(CLONE_FS) < 0)
		return -errno;
	umask(mask);
	thread.umask_is_own = true;
	thread.umask = mask;
	return 0;
}

int credentials_create(fuse_req_t req, mode_t mode, int (*call)(void *arg), void *arg)
{
	const int status = take_umask(fuse_req_ctx(req)->umask);

	if (status < 0)
		return status;
	return mode & S_ISGID ? credentials_call_with_all(req, call, arg)
			      : credentials_call(req, call, arg);
}

/* ------------------------------------------------------------------ questions */

struct access {
	const struct inode *inode;
	int mask;
};

/* Not the C library's: where the kernel lacks it, that looks at the daemon's ids. */
static int ask_access(void *arg)
{
	const struct access *access = arg;
	const struct inode *inode = access->inode;

	return syscall(SYS_faccessat2, inode->daemon->proc_fd_dir,
		       fd_name(inode->fd).text, access->mask, AT_EACCESS) < 0
		       ? -errno
		       : 0;
}

int credentials_may(fuse_req_t req, const struct inode *inode, int mask)
{
	struct access access = {inode, mask};

	return credentials_call(req, ask_access, &access);
}

bool credentials_has_cap(fuse_req_t req, unsigned cap)
{
	struct caller caller;

	return caller_look_up(req, &caller) && caller.caps & UINT64_C(1) << cap;
}
