/* SPDX-License-Identifier: MIT */
/*
 * The check: facts first, then each promise with what it rests on. Facts are tried out,
 * not concluded from versions, where there is a way to try.
 */

#include "self_check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "background_places.h"
#include "config.h"
#include "log.h"
#include "platform.h"
#include "store_facts.h"
#include "temporary_copies.h"
#include "trial_mount.h"

struct findings {
	const struct options *options;
	int device; /* of /dev/fuse: 0 or a negative errno */
	bool user;  /* not root: fusermount3 mounts */
	char helper[PATH_MAX];
	int mounts; /* of the trial mount, likewise */
	struct trial trial;
	int source; /* likewise; 0 without SOURCE */
	struct store_facts store;
};

/* -------------------------------------------------------------------------- lines */

__attribute__((format(printf, 2, 3))) static void fact(const char *name,
						       const char *format, ...)
{
	va_list args;

	printf("%-22s ", name);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

static const char *yes_or_no(bool yes)
{
	return yes ? "yes" : "no";
}

/* -------------------------------------------------------------------- the machine */

static const char *how_written_back(enum copies copies)
{
	switch (copies) {
	case COPIES_MADE:
		return "from temporary copies (tried out)";
	case COPIES_NONE:
		return "from the page itself (tried out)";
	case COPIES_UNKNOWN:
		break;
	}
	return "could not be tried out";
}

static void tell_versions(const struct findings *found)
{
	struct utsname name;

	fact("foldfs", "%s", FOLDFS_VERSION);
	if (uname(&name) == 0)
		fact("kernel", "%s %s", name.sysname, name.release);
	if (found->mounts == 0)
		fact("FUSE protocol", "%u.%u", found->trial.proto_major,
		     found->trial.proto_minor);
	else
		fact("FUSE protocol", "not known, as nothing can be mounted");
	if (found->mounts == 0)
		fact("mapped pages written", "%s",
		     how_written_back(found->trial.copies));
	fact("libfuse", "%s, built against %d.%d", fuse_pkgversion(),
	     FUSE_MAJOR_VERSION, FUSE_MINOR_VERSION);
}

static void tell_mounting(const struct findings *found)
{
	fact("/dev/fuse", "%s",
	     found->device < 0 ? strerror(-found->device) : "can be opened");
	fact(PLATFORM_HELPER, "%s",
	     found->helper[0] ? found->helper : "not found: users cannot mount");
	fact("mounting", "%s%s", found->mounts == 0 ? "works, as " : "fails, as ",
	     found->user ? "a user" : "root");
	fact("allow_other for users", "%s",
	     platform_users_allow_other()
		     ? "with ro (user_allow_other in " PLATFORM_FUSE_CONF ")"
		     : "no (no user_allow_other in " PLATFORM_FUSE_CONF ")");
}

static unsigned places_granted(const struct findings *found)
{
	const unsigned limit = background_places_limit();

	return found->user && limit < BACKGROUND_PLACES_WANTED
		       ? limit
		       : BACKGROUND_PLACES_WANTED;
}

static void tell_limits(const struct findings *found)
{
	fact("background requests", "%u of %u", places_granted(found),
	     BACKGROUND_PLACES_WANTED);
	fact("--watch",
	     "at most %lu files (fs.inotify.max_user_watches), %lu mounts "
	     "(max_user_instances)",
	     platform_number("/proc/sys/fs/inotify/max_user_watches"),
	     platform_number("/proc/sys/fs/inotify/max_user_instances"));
}

/* ---------------------------------------------------------------------- the store */

static const char *way(bool own, bool reflink)
{
	if (own)
		return "its own";
	return reflink ? "reflinks" : "copies, under a journal";
}

static void tell_ranges(const struct store_facts *store)
{
	const struct store_abilities *can = &store->can;

	if (store->tried < 0) {
		fact("range operations", "not known: no file can be made in SOURCE: %s",
		     strerror(-store->tried));
		return;
	}
	fact("collapse", "%s", way(can->collapse, can->reflink));
	fact("insert", "%s", way(can->insert, can->reflink));
	fact("move", "%s", way(false, can->reflink));
	fact("punch", "%s", can->punch ? "its own" : "by writing zeros");
	fact("zero", "%s", can->zero ? "its own" : "by writing zeros");
	fact("user attributes", "%s", yes_or_no(store->xattrs));
	fact("ACLs", "%s", yes_or_no(store->acls));
	fact("birth times", "%s", yes_or_no(store->birth_times));
}

static void tell_store(const struct findings *found)
{
	const struct store_facts *store = &found->store;

	if (!found->options->source)
		return;
	if (found->source < 0) {
		fact("SOURCE", "%s: %s", found->options->source,
		     strerror(-found->source));
		return;
	}
	fact("SOURCE", "%s, on %s", found->options->source, store->type);
	tell_ranges(store);
	fact("O_TMPFILE", "%s", yes_or_no(store->tmpfile));
	fact("file handles", "%s", yes_or_no(store->handles));
	fact("numbers of files", "%s",
	     store->doubt[0] ? store->doubt : "each file keeps its own");
}

/* -------------------------------------------------------------------- the promises */

static bool promise(const char *name, const char *broken, const char *mechanism)
{
	fact(name, "%s: %s", broken ? "DOES NOT HOLD" : "holds",
	     broken ? broken : mechanism);
	return !broken;
}

static const char *freshness(bool needs_fence)
{
	return needs_fence ? "by a fence before each range operation, as this kernel "
			     "may write mapped pages from temporary copies"
			   : "this kernel keeps a page until it has been written";
}

/* Why nothing at all can be promised; NULL if it can. */
static const char *no_mount(const struct findings *found)
{
	if (found->device < 0)
		return "/dev/fuse cannot be opened";
	if (found->user && !found->helper[0])
		return PLATFORM_HELPER " is not installed; the package is fuse3";
	if (found->mounts < 0)
		return "nothing can be mounted";
	return found->source < 0 ? "SOURCE cannot be served" : NULL;
}

static bool tell_promises(const struct findings *found)
{
	const bool fence = found->options->always_fence ||
			   temporary_copies_of(found->trial.proto_minor);
	const char *broken = no_mount(found);
	const char *fresh = broken;
	bool hold = true;

	if (!fresh && !fence && found->trial.copies == COPIES_MADE)
		fresh = "this kernel writes mapped pages from temporary copies, "
			"though its version says otherwise; give --fence=always";
	if (!fresh && found->store.doubt[0])
		fresh = "files may be taken for each other, see above";
	hold &= promise("no stale bytes", fresh, freshness(fence));
	hold &= promise("nothing hangs", broken,
			"what waits is data, no thread; a watchdog names what is slow");
	if (found->options->source && found->store.tried == 0)
		hold &= promise("whole after a crash", broken,
				found->store.can.collapse && found->store.can.insert
					? "the store's own operations, moves under a "
					  "journal"
					: "range operations are under a journal");
	return hold;
}

/* ----------------------------------------------------------------------- all of it */

static void look_at_source(struct findings *found)
{
	const char *source = found->options->source;
	int fd;

	if (!source)
		return;
	fd = open(source, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		found->source = -errno;
		return;
	}
	if (faccessat(fd, ".", R_OK | X_OK, AT_EACCESS) < 0)
		found->source = -errno;
	else
		found->source = store_facts_find(fd, &found->store);
	close(fd);
}

bool self_check(const struct options *options)
{
	struct findings found = {.options = options, .user = geteuid() != 0};

	found.device = platform_fuse_device();
	(void)platform_find_helper(found.helper, sizeof(found.helper));
	found.mounts = found.device;
	if (found.device == 0)
		found.mounts = trial_mount(options->mountpoint, &found.trial);
	look_at_source(&found);
	tell_versions(&found);
	tell_mounting(&found);
	tell_limits(&found);
	tell_store(&found);
	return tell_promises(&found);
}

void self_check_log(const struct daemon *daemon, const struct fuse_conn_info *conn)
{
	struct utsname name;

	if (uname(&name) < 0)
		return;
	log_msg(LOG_INFO, "%s %s, FUSE %u.%u, libfuse %s; no stale bytes: %s",
		name.sysname, name.release, conn->proto_major, conn->proto_minor,
		fuse_pkgversion(), freshness(daemon->needs_fence));
}
