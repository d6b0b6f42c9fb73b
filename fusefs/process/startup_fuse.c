/* SPDX-License-Identifier: MIT */
/*
 * Start-up checks: the kernel's FUSE, its helper, and who may come in.
 */

#include "startup_fuse.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "caller.h"
#include "log.h"
#include "platform.h"

static int check_device(void)
{
	const int error = -platform_fuse_device();

	switch (error) {
	case 0:
		return 0;
	case ENOENT:
	case ENODEV:
	case ENXIO:
		log_msg(LOG_ERR,
			"cannot open /dev/fuse: %s. Load the kernel module with 'modprobe "
			"fuse' as root; a container must be started with '--device "
			"/dev/fuse --cap-add SYS_ADMIN'",
			strerror(error));
		break;
	case EACCES:
	case EPERM:
		log_msg(LOG_ERR,
			"cannot open /dev/fuse: %s. Let users open it with 'chmod 0666 "
			"/dev/fuse' as root; a container must be started with '--device "
			"/dev/fuse'",
			strerror(error));
		break;
	default:
		log_msg(LOG_ERR, "cannot open /dev/fuse: %s", strerror(error));
	}
	return -error;
}

/* Root mounts by itself. So might we in a user namespace, but there we are root, too.
 */
static int check_helper(const struct daemon *daemon)
{
	const char *options = daemon->options.fuse_options;
	char path[PATH_MAX];

	if (geteuid() == 0 && !(options && strstr(options, "auto_unmount")))
		return 0;
	if (platform_find_helper(path, sizeof(path)))
		return 0;
	log_msg(LOG_ERR, PLATFORM_HELPER
		" is not installed: users cannot mount without it. Install "
		"the package fuse3 ('apt install fuse3', 'dnf install fuse3')");
	return -ENOENT;
}

static int check_others(const struct daemon *daemon)
{
	const struct options *options = &daemon->options;

	if (!options->allow_other || daemon->privileged)
		return 0;
	if (!options->read_only) {
		log_msg(LOG_ERR,
			"allow_other and allow_root need a daemon that runs as root: what "
			"others create would belong to you, not to them. Run foldfs as "
			"root, or mount read-only with -o ro");
		return -EPERM;
	}
	if (geteuid() != 0 && !platform_users_allow_other()) {
		log_msg(LOG_ERR,
			"allow_other and allow_root are not permitted to users: "
			"have root put the line 'user_allow_other' into " PLATFORM_FUSE_CONF);
		return -EPERM;
	}
	return 0;
}

/* Root, with what it takes to act for others: containers may lack it. */
static bool may_act_for_others(void)
{
	const uint32_t needed = UINT32_C(1) << CAP_CHOWN |
				UINT32_C(1) << CAP_DAC_OVERRIDE |
				UINT32_C(1) << CAP_FOWNER | UINT32_C(1) << CAP_FSETID |
				UINT32_C(1) << CAP_SETUID | UINT32_C(1) << CAP_SETGID;
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct caps[2];

	return geteuid() == 0 && syscall(SYS_capget, &header, caps) == 0 &&
	       (caps[0].effective & needed) == needed;
}

/* Whom we serve is to have his groups, and none of ours. */
static bool give_up_groups(void)
{
	return setgroups(0, NULL) == 0 || getgroups(0, NULL) == 0;
}

int startup_check_fuse(struct daemon *daemon)
{
	int status;

	daemon->privileged = may_act_for_others() && give_up_groups();
	if (daemon->privileged && !caller_check_proc())
		log_msg(LOG_WARNING,
			"/proc is of another pid namespace than ours: the supplementary "
			"groups and the capabilities of whoever uses the mount cannot be "
			"seen, and do not count");
	status = check_device();
	if (status == 0)
		status = check_helper(daemon);
	if (status == 0)
		status = check_others(daemon);
	return status;
}
